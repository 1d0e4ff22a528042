//! Tables of scripts and their results.

use super::*;

/// A script, its standard output, its standard error, and its exit code.
type Row = (&'static str, &'static str, &'static str, u8);

async fn check(rows: &[Row]) {
    let mut wrong = Vec::new();
    for (script, stdout, stderr, code) in rows {
        let found = sh(script).await;
        let expected = answer(stdout, stderr, *code);
        if found != expected {
            wrong.push(format!("{script}\n  {found:?}\n  {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn lists_and_pipelines() {
    check(&[
        ("", "", "", 0),
        ("echo a; echo b", "a\nb\n", "", 0),
        ("true && echo a || echo b", "a\n", "", 0),
        ("false && echo a || echo b", "b\n", "", 0),
        ("! true; echo $?", "1\n", "", 0),
        ("false | true; echo $?", "0\n", "", 0),
        ("set -o pipefail; false | true; echo $?", "1\n", "", 0),
        ("echo b a | tr ' ' '\\n' | sort", "a\nb\n", "", 0),
        ("nonesuch", "", "sh: nonesuch: not found\n", 127),
        (
            "nonesuch || echo $?",
            "127\n",
            "sh: nonesuch: not found\n",
            0,
        ),
        ("/bin/nonesuch", "", "sh: /bin/nonesuch: not found\n", 127),
        ("/bin/echo a", "a\n", "", 0),
        (
            "/etc/passwd",
            "",
            "sh: /etc/passwd: Permission denied\n",
            126,
        ),
        ("exit 3; echo no", "", "", 3),
        ("(exit 4); echo $?", "4\n", "", 0),
        ("{ echo a; echo b; } | wc -l", "2\n", "", 0),
        ("yes | head -n 2", "y\ny\n", "", 0),
        ("x=1; (x=2); echo $x", "1\n", "", 0),
        ("x=1; echo 2 | read x; echo $x", "1\n", "", 0),
        ("set -e; false; echo no", "", "", 1),
        (
            "set -e; if false; then :; fi; false || true; ! true; echo yes",
            "yes\n",
            "",
            0,
        ),
        ("if", "", "sh: syntax error: unexpected end of file\n", 2),
        ("# nothing\necho a # b", "a\n", "", 0),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn expansion() {
    check(&[
        ("x='a  b'; echo $x \"$x\"", "a b a  b\n", "", 0),
        ("echo '$x' \"\\$x\" \\$x", "$x $x $x\n", "", 0),
        ("echo ${x:-a b} ${x-c}", "a b c\n", "", 0),
        ("echo ${x:=d} $x ${x:+e} ${y:+f}", "d d e\n", "", 0),
        ("x=; echo \"${x-unset}\" \"${x:-empty}\"", " empty\n", "", 0),
        ("echo ${x?}", "", "sh: x: parameter not set\n", 2),
        (
            "echo ${x:?is missing}; echo no",
            "",
            "sh: x: is missing\n",
            2,
        ),
        ("set -u; echo $x", "", "sh: x: parameter not set\n", 2),
        (
            "x=/a/b.c; echo ${x##*/} ${x%.*} ${#x}",
            "b.c /a/b 6\n",
            "",
            0,
        ),
        ("echo $(echo a; echo b) `echo c`", "a b c\n", "", 0),
        ("x=$(false); echo $?", "1\n", "", 0),
        ("echo \"$(printf 'a\\n\\n')\"b", "ab\n", "", 0),
        ("echo $((1 + 2 * 3)) $((1 << 4))", "7 16\n", "", 0),
        ("i=1; i=$((i + 1)); echo $i", "2\n", "", 0),
        ("echo $((1 / 0))", "", "sh: divide by zero\n", 2),
        (
            "set -- a 'b c'; echo $# $1 \"$2\"; shift; echo $#",
            "2 a b c\n1\n",
            "",
            0,
        ),
        (
            "set -- a 'b c'; for x in \"$@\"; do echo \"<$x>\"; done",
            "<a>\n<b c>\n",
            "",
            0,
        ),
        ("set -- a b; IFS=:; echo \"$*\"", "a:b\n", "", 0),
        ("IFS=:; x=a:b::c; set -- $x; echo $#", "4\n", "", 0),
        (
            "cd /tmp; touch b.x a.x c; echo *.x *.y",
            "a.x b.x *.y\n",
            "",
            0,
        ),
        ("echo /etc/host*", "/etc/hostname /etc/hosts\n", "", 0),
        ("echo \"/etc/host*\"", "/etc/host*\n", "", 0),
        ("cd; echo ~ $PWD", "/root /root\n", "", 0),
        ("x='*'; echo \"$x\"", "*\n", "", 0),
        ("echo a\\\nb", "ab\n", "", 0),
        ("echo $", "$\n", "", 0),
        ("x=1 env | grep ^x=; echo $x", "x=1\n\n", "", 0),
        ("x=1; env | grep -c ^x=", "0\n", "", 1),
        ("export x=1; env | grep ^x=", "x=1\n", "", 0),
        ("x=1; unset x; echo ${x-gone}", "gone\n", "", 0),
        ("readonly x=1; x=2; echo no", "", "sh: x: is read only\n", 2),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn compound_commands() {
    check(&[
        (
            "if false; then echo a; elif true; then echo b; else echo c; fi",
            "b\n",
            "",
            0,
        ),
        ("for x in a b; do echo $x; done", "a\nb\n", "", 0),
        (
            "for x in a b c; do [ $x = b ] && continue; [ $x = c ] && break; echo $x; done",
            "a\n",
            "",
            0,
        ),
        (
            "i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done",
            "0\n1\n2\n",
            "",
            0,
        ),
        (
            "i=3; until [ $i -eq 0 ]; do i=$((i-1)); done; echo $i",
            "0\n",
            "",
            0,
        ),
        (
            "for i in 1 2; do for j in 1 2; do break 2; done; done; echo $i$j",
            "11\n",
            "",
            0,
        ),
        (
            "case abc in x) echo x;; a*|b) echo a;; *) echo other;; esac",
            "a\n",
            "",
            0,
        ),
        ("case 'a*' in 'a*') echo literal;; esac", "literal\n", "", 0),
        (
            "case abc in [!a]*) echo no;; [a-c]??) echo yes;; esac",
            "yes\n",
            "",
            0,
        ),
        (
            "f() { echo $1 $#; return 5; }; f a b; echo $?",
            "a 2\n5\n",
            "",
            0,
        ),
        (
            "f() { local x=2; echo $x; }; x=1; f; echo $x",
            "2\n1\n",
            "",
            0,
        ),
        (
            "printf 'a b\\nc\\n' | while read x y; do echo \"$y-$x\"; done",
            "b-a\n-c\n",
            "",
            0,
        ),
        ("IFS=: read a b <<E\n1:2:3\nE\necho $a $b", "1 2:3\n", "", 0),
        ("cat <<E\n$((1+1)) `echo x` \\$y\nE", "2 x $y\n", "", 0),
        ("cat <<'E'\n$x\nE", "$x\n", "", 0),
        ("eval 'x=1; echo $x'", "1\n", "", 0),
        ("echo 'x=7' > /tmp/e; . /tmp/e; echo $x", "7\n", "", 0),
        (
            "printf 'echo $0 $1\\n' > /tmp/s; sh /tmp/s a",
            "/tmp/s a\n",
            "",
            0,
        ),
        (
            "printf 'echo ok\\n' > /tmp/s; chmod +x /tmp/s; /tmp/s",
            "ok\n",
            "",
            0,
        ),
        ("echo 'echo in' | sh", "in\n", "", 0),
        ("sh -c 'echo $0 $1' a b", "a b\n", "", 0),
        ("trap 'echo bye' EXIT; echo hi", "hi\nbye\n", "", 0),
        ("trap 'echo bye; exit 2' EXIT; exit 1", "bye\n", "", 2),
        (
            "sleep 1 & echo started; wait; echo done",
            "started\ndone\n",
            "",
            0,
        ),
        ("(sleep 1; exit 7) & wait $!; echo $?", "7\n", "", 0),
        ("exec echo a; echo no", "a\n", "", 0),
        ("exec > /tmp/x; echo a; exec >&2; cat /tmp/x", "", "a\n", 0),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn signals() {
    check(&[
        ("sleep 100 & kill $!; wait $!; echo $?", "143\n", "", 0),
        (
            "sleep 100 & kill -USR1 $!; wait $!; echo $?",
            "138\n",
            "",
            0,
        ),
        ("sh -c 'kill -9 $$; echo no'; echo $?", "137\n", "", 0),
        ("echo a; kill -9 $$; echo no", "a\n", "", 137),
        ("kill -HUP $$; echo no", "", "", 129),
        (
            "(kill -9 $$; echo survives); echo no",
            "survives\n",
            "",
            137,
        ),
        (
            "trap : USR1; (sleep 0.1; kill -USR1 $$) & sleep 100 & wait $!; echo $?",
            "138\n",
            "",
            0,
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn redirections() {
    check(&[
        (
            "echo a > /tmp/x; echo b >> /tmp/x; cat < /tmp/x",
            "a\nb\n",
            "",
            0,
        ),
        ("echo a >&2", "", "a\n", 0),
        ("ls /none 2>/dev/null; echo $?", "1\n", "", 0),
        (
            "ls /none > /tmp/x 2>&1; cat /tmp/x",
            "ls: /none: No such file or directory\n",
            "",
            0,
        ),
        (
            "cat < /none; echo $?",
            "1\n",
            "sh: can't open /none: no such file\n",
            0,
        ),
        (
            "echo a > /none/x",
            "",
            "sh: can't create /none/x: nonexistent directory\n",
            1,
        ),
        (
            "echo a > /tmp",
            "",
            "sh: can't create /tmp: Is a directory\n",
            1,
        ),
        (
            "echo a > /dev/full",
            "",
            "echo: write error: No space left on device\n",
            1,
        ),
        ("{ echo a; echo b >&2; } 2>&1 | sort", "a\nb\n", "", 0),
        (
            "echo a > /proc/sys/kernel/shmmax",
            "",
            "sh: can't create /proc/sys/kernel/shmmax: Read-only file system\n",
            1,
        ),
        ("head -c 3 /dev/zero | wc -c", "3\n", "", 0),
        (
            "cd /tmp && > e && [ -f e ] && [ ! -s e ] && echo empty",
            "empty\n",
            "",
            0,
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn commands_on_text() {
    check(&[
        ("echo -n a; echo -e 'b\\tc'", "ab\tc\n", "", 0),
        (
            "printf '%s-%03d|%-4s|%x\\n' a 7 b 255",
            "a-007|b   |ff\n",
            "",
            0,
        ),
        ("printf '%s\\n' a b c", "a\nb\nc\n", "", 0),
        ("printf '%d\\n' x", "0\n", "printf: invalid number 'x'\n", 1),
        ("printf 'a%%\\101\\n'", "a%A\n", "", 0),
        ("seq 3 | tail -n 2", "2\n3\n", "", 0),
        ("seq 10 -3 1", "10\n7\n4\n1\n", "", 0),
        ("seq 5 | head -n2", "1\n2\n", "", 0),
        ("seq 5 | tail -n +4", "4\n5\n", "", 0),
        (
            "printf 'a b\\nc\\n' | wc",
            "        2         3         6\n",
            "",
            0,
        ),
        ("echo hello | tr a-y b-z", "ifmmp\n", "", 0),
        (
            "echo aabb | tr -d a; echo aabb | tr -s b",
            "bb\naab\n",
            "",
            0,
        ),
        ("echo a:b:c | cut -d: -f2,3", "b:c\n", "", 0),
        ("printf '10\\n9\\n' | sort -n", "9\n10\n", "", 0),
        (
            "printf 'a\\na\\nb\\n' | uniq -c",
            "      2 a\n      1 b\n",
            "",
            0,
        ),
        ("printf 'ab\\ncd\\n' | grep -n c", "2:cd\n", "", 0),
        ("echo a | grep b; echo $?", "1\n", "", 0),
        (
            "grep x /none",
            "",
            "grep: /none: No such file or directory\n",
            2,
        ),
        (
            "echo 'a+b' | grep -o 'a+'; echo aab | grep -oE 'a+'",
            "a+\naa\n",
            "",
            0,
        ),
        ("echo abc | grep -q b && echo yes", "yes\n", "", 0),
        ("printf 'a\\nb\\n' | grep -vc a", "1\n", "", 0),
        (
            "cat /none",
            "",
            "cat: can't open '/none': No such file or directory\n",
            1,
        ),
        ("echo a | tee /tmp/x; cat /tmp/x", "a\na\n", "", 0),
        ("basename /a/b.c .c; dirname /a/b", "b\n/a\n", "", 0),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn commands_on_files() {
    check(&[
        (
            "mkdir -p /tmp/a/b; touch /tmp/a/b/c; ls /tmp/a",
            "b\n",
            "",
            0,
        ),
        (
            "mkdir -p /tmp/a/b; touch /tmp/a/b/c; ls -R /tmp/a",
            "/tmp/a:\nb\n\n/tmp/a/b:\nc\n",
            "",
            0,
        ),
        (
            "mkdir /tmp",
            "",
            "mkdir: can't create directory '/tmp': File exists\n",
            1,
        ),
        ("mkdir /tmp/a /tmp/b; rmdir /tmp/a; ls /tmp", "b\n", "", 0),
        (
            "rm /none",
            "",
            "rm: can't remove '/none': No such file or directory\n",
            1,
        ),
        ("rm /tmp", "", "rm: '/tmp' is a directory\n", 1),
        ("rm -rf /none; echo $?", "0\n", "", 0),
        (
            "mkdir -p /tmp/a/b; touch /tmp/a/b/c; rm -r /tmp/a; ls /tmp",
            "",
            "",
            0,
        ),
        (
            "echo a > /tmp/x; cp /tmp/x /tmp/y; mv /tmp/y /tmp/z; cat /tmp/z; ls /tmp",
            "a\nx\nz\n",
            "",
            0,
        ),
        ("ls /none", "", "ls: /none: No such file or directory\n", 1),
        ("ls -l /dev/null | cut -c1-10", "crw-rw-rw-\n", "", 0),
        (
            "dd if=/dev/zero of=/tmp/x bs=1k count=2 2>/dev/null; stat -c %s /tmp/x",
            "2048\n",
            "",
            0,
        ),
        (
            "chmod 600 /etc/hosts; stat -c '%a %U' /etc/hosts",
            "600 root\n",
            "",
            0,
        ),
        (
            "cd /none",
            "",
            "sh: cd: can't cd to /none: No such file or directory\n",
            2,
        ),
        ("cd /tmp; pwd; cd - ", "/tmp\n/\n", "", 0),
        (
            "find /etc -name 'host*'",
            "/etc/hostname\n/etc/hosts\n",
            "",
            0,
        ),
        (
            "[ -d /tmp ] && [ -x /bin/sh ] && test -c /dev/null && echo yes",
            "yes\n",
            "",
            0,
        ),
        ("[ 1 -gt x ]", "", "[: x: bad number\n", 2),
        ("[ a = a", "", "[: missing ]\n", 2),
        ("[ ! a = b -a ! -e /none ] && echo yes", "yes\n", "", 0),
        (
            "dd if=/dev/zero of=/tmp/x bs=1M count=100; rm /tmp/x; echo a > /tmp/y; cat /tmp/y",
            "a\n",
            "dd: write error: No space left on device\n",
            0,
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn commands_on_the_system() {
    check(&[
        ("id", "uid=0(root) gid=0(root) groups=0(root)\n", "", 0),
        (
            "whoami; hostname; uname; nproc",
            "root\npod-1\nLinux\n1\n",
            "",
            0,
        ),
        ("date -u -d @0 '+%F %T'", "1970-01-01 00:00:00\n", "", 0),
        ("sleep 90; date +%s", "90\n", "", 0),
        ("sleep x", "", "sleep: invalid number 'x'\n", 1),
        ("timeout 1 sleep 5; echo $?", "143\n", "", 0),
        ("timeout 5 echo a", "a\n", "", 0),
        (
            "sysctl kernel.shm_rmid_forced",
            "kernel.shm_rmid_forced = 0\n",
            "",
            0,
        ),
        (
            "sysctl -n none.such",
            "",
            "sysctl: error: '/proc/sys/none/such': No such file or directory\n",
            1,
        ),
        (
            "ping -c 1 example.com",
            "",
            "ping: bad address 'example.com'\n",
            1,
        ),
        (
            "wget -O- http://10.0.0.1:80/",
            "",
            "wget: can't connect to remote host (10.0.0.1): Network is unreachable\n",
            1,
        ),
        (
            "kill 99",
            "",
            "kill: can't kill pid 99: No such process\n",
            1,
        ),
        ("kill -0 1 && echo alive", "alive\n", "", 0),
        (
            "mount | grep ' / '",
            "overlay on / type overlay (rw,relatime)\n",
            "",
            0,
        ),
        ("command -v ls cd", "/bin/ls\ncd\n", "", 0),
        ("command -v nonesuch; echo $?", "127\n", "", 0),
        (
            "ps | head -n 2",
            "PID   USER     TIME  COMMAND\n    1 root      0:00 /pause\n",
            "",
            0,
        ),
    ])
    .await;
}

#[tokio::test]
async fn the_first_process_of_a_namespace_ignores_signals_that_it_does_not_trap() {
    let world = world();
    world.init_signals().protect();
    let (stdout, mut out) = tokio::io::duplex(4096);
    let io = Io {
        stdin: Box::new(tokio::io::empty()),
        stdout: Box::new(stdout),
        stderr: Box::new(tokio::io::sink()),
    };
    let script = "kill -9 $$; kill -TERM $$; echo alive; trap 'exit 5' INT; kill -INT $$; echo no";
    let argv = ["sh", "-c", script].map(ToString::to_string);
    let shell = Shell::first(world, Limits::default());
    let mut text = String::new();
    let (code, _) = tokio::join!(shell.run(&argv, io), out.read_to_string(&mut text));
    assert_eq!((text.as_str(), code), ("alive\n", 5));
}
