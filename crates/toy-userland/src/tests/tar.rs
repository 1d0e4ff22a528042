//! Tests of `tar`.

use super::*;

#[tokio::test]
async fn a_tree_goes_through_an_archive() {
    let script = "mkdir -p /a/d; echo hello >/a/d/f; chmod 600 /a/d/f; touch /a/empty
        cd /; tar cf - a | tar xf - -C /tmp; find /tmp/a | sort; cat /tmp/a/d/f
        stat -c '%a %U' /tmp/a/d/f";
    let expected = "/tmp/a\n/tmp/a/d\n/tmp/a/d/f\n/tmp/a/empty\nhello\n600 root\n";
    assert_eq!(sh(script).await, answer(expected, "", 0));
}

#[tokio::test]
async fn names_are_listed_and_lose_their_slash() {
    let script = "mkdir /a; echo 1 >/a/x; tar cf /t.tar /a; tar tf /t.tar; tar xvf /t.tar -C /tmp";
    let names = "a/\na/x\n";
    let warning = "tar: removing leading '/' from member names\n";
    assert_eq!(sh(script).await, answer(&names.repeat(2), warning, 0));
}

#[tokio::test]
async fn long_names_are_kept() {
    let script = "d=/a; i=0; while [ $i -lt 15 ]; do d=$d/0123456789; i=$((i + 1)); done
        mkdir -p $d; echo deep >$d/f; cd /; tar cf - a | tar xf - -C /tmp; cat /tmp$d/f";
    assert_eq!(sh(script).await, answer("deep\n", "", 0));
}

#[tokio::test]
async fn a_wrong_archive_is_refused() {
    for (script, message) in [
        ("echo x | tar xf -", "tar: short read\n"),
        (
            "head -c 512 /dev/urandom | tar xf -",
            "tar: invalid tar magic\n",
        ),
        (
            "tar xf /nonesuch",
            "tar: can't open '/nonesuch': No such file or directory\n",
        ),
        (
            "tar cf - /nonesuch >/dev/null",
            "tar: removing leading '/' from member names\n\
             tar: /nonesuch: No such file or directory\n",
        ),
        ("tar f x", "tar: one of -c, -x and -t is needed\n"),
        ("tar czf - /etc", "tar: gzip is not supported\n"),
        (
            "cd /; echo 1 >f; tar cf - f | head -c 600 | tar xf - -C /tmp",
            "tar: short read\n",
        ),
    ] {
        assert_eq!(sh(script).await, answer("", message, 1), "{script}");
    }
}
