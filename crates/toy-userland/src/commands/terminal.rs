//! Programs that show or change the terminal on standard input.

use terminal::{Attributes, Size, Terminal};

use super::call::Call;

/// Path of a container's terminal: the first of its own devpts.
const PATH: &str = "/dev/pts/0";

pub(super) fn tty(call: &mut Call<'_>) -> u8 {
    let quiet = call.args.iter().any(|argument| argument == "-s");
    let is_terminal = call.terminal().is_some();
    if !quiet {
        call.print_line(if is_terminal { PATH } else { "not a tty" });
    }
    u8::from(!is_terminal)
}

/// A mode: its name, the word of termios(3) it is in, its bit there, and its place.
struct Mode {
    name: &'static str,
    word: Word,
    bit: u32,
    of: fn(&mut Attributes) -> &mut bool,
}

/// Words of termios(3).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Input,
    Output,
    Local,
}

macro_rules! modes {
    ($($name:ident $word:ident $bit:literal;)*) => {
        [$(Mode {
            name: stringify!($name),
            word: Word::$word,
            bit: $bit,
            of: |attributes| &mut attributes.$name,
        }),*]
    };
}

/// The modes, with the bits of the kernel's `include/uapi/asm-generic/termbits.h`.
const MODES: [Mode; 16] = modes! {
    inlcr Input 0x40;
    igncr Input 0x80;
    icrnl Input 0x100;
    ixon Input 0x400;
    opost Output 0x1;
    onlcr Output 0x4;
    isig Local 0x1;
    icanon Local 0x2;
    iexten Local 0x8000;
    echo Local 0x8;
    echoe Local 0x10;
    echok Local 0x20;
    echonl Local 0x40;
    noflsh Local 0x80;
    echoctl Local 0x200;
    echoke Local 0x800;
};

/// A special character: its name, and its place.
type Character = (&'static str, fn(&mut Attributes) -> &mut Option<u8>);

/// The special characters in the order of `stty -a`.
const CHARACTERS: [Character; 11] = [
    ("intr", |a| &mut a.characters.intr),
    ("quit", |a| &mut a.characters.quit),
    ("erase", |a| &mut a.characters.erase),
    ("kill", |a| &mut a.characters.kill),
    ("eof", |a| &mut a.characters.eof),
    ("start", |a| &mut a.characters.start),
    ("stop", |a| &mut a.characters.stop),
    ("susp", |a| &mut a.characters.susp),
    ("rprnt", |a| &mut a.characters.rprnt),
    ("werase", |a| &mut a.characters.werase),
    ("lnext", |a| &mut a.characters.lnext),
];

/// Modes that `stty` takes and that have no effect here.
const WITHOUT_EFFECT: [&str; 34] = [
    "parenb", "parodd", "cmspar", "cs5", "cs6", "cs7", "cs8", "hupcl", "cstopb", "cread", "clocal",
    "crtscts", "ignbrk", "brkint", "ignpar", "parmrk", "inpck", "istrip", "ixoff", "iuclc",
    "ixany", "imaxbel", "iutf8", "olcuc", "ocrnl", "onocr", "onlret", "ofill", "ofdel", "xcase",
    "tostop", "echoprt", "flusho", "extproc",
];

pub(super) fn stty(call: &mut Call<'_>) -> u8 {
    let Some(terminal) = call.terminal().cloned() else {
        return call.fail("standard input: Inappropriate ioctl for device");
    };
    let args = std::mem::take(&mut call.args);
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        [] => call.print_line("speed 38400 baud; line = 0;"),
        ["-a" | "--all"] => call.print(&all(&terminal)),
        ["-g" | "--save"] => call.print_line(&saved(terminal.attributes())),
        ["size"] => {
            let Size { columns, rows } = terminal.size();
            call.print_line(&format!("{rows} {columns}"));
        }
        _ => return change(call, &terminal, &words),
    }
    0
}

/// Applies the settings. A wrong one is reported, and none is applied.
fn change(call: &mut Call<'_>, terminal: &Terminal, words: &[&str]) -> u8 {
    let mut attributes = terminal.attributes();
    let mut size = terminal.size();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if set(&mut attributes, word) {
            continue;
        }
        let character = CHARACTERS.iter().find(|(name, _)| name == word);
        let takes_number = matches!(*word, "rows" | "cols" | "columns" | "min" | "time");
        if character.is_none() && !takes_number {
            return call.fail(&format!("invalid argument '{word}'"));
        }
        let Some(value) = words.next() else {
            return call.fail(&format!("missing argument to '{word}'"));
        };
        if let Some((_, of)) = character {
            *of(&mut attributes) = match parse_character(value) {
                Ok(character) => character,
                Err(()) => return call.fail(&format!("invalid argument '{value}'")),
            };
            continue;
        }
        let Ok(number) = value.parse::<u16>() else {
            return call.fail(&format!("invalid number '{value}'"));
        };
        match *word {
            "rows" => size.rows = number,
            "min" => attributes.characters.min = u8::try_from(number).unwrap_or(u8::MAX),
            // A reader does not wait for a time.
            "time" => {}
            _ => size.columns = number,
        }
    }
    terminal.set_attributes(attributes);
    terminal.resize(size);
    0
}

/// Applies a setting without an argument. Returns false if there is none of this name.
fn set(attributes: &mut Attributes, word: &str) -> bool {
    let (name, on) = match word.strip_prefix('-') {
        Some(name) => (name, false),
        None => (word, true),
    };
    if let Some(mode) = MODES.iter().find(|mode| mode.name == name) {
        *(mode.of)(attributes) = on;
        return true;
    }
    let cooked = Attributes {
        characters: attributes.characters,
        echo: attributes.echo,
        ..Attributes::default()
    };
    match (name, on) {
        ("sane", true) => *attributes = Attributes::default(),
        ("raw", true) | ("cooked", false) => {
            *attributes = Attributes {
                inlcr: false,
                igncr: false,
                icrnl: false,
                ixon: false,
                opost: false,
                isig: false,
                icanon: false,
                ..*attributes
            };
            attributes.characters.min = 1;
        }
        ("cooked", true) | ("raw", false) => *attributes = cooked,
        ("cbreak", on) => attributes.icanon = !on,
        ("nl", on) => {
            attributes.icrnl = !on;
            attributes.onlcr = !on;
        }
        ("ek", true) => {
            let default = Attributes::default().characters;
            attributes.characters.erase = default.erase;
            attributes.characters.kill = default.kill;
        }
        ("crt", true) => {
            attributes.echoe = true;
            attributes.echoctl = true;
            attributes.echoke = true;
        }
        (name, _) if WITHOUT_EFFECT.contains(&name) => {}
        // A speed.
        (name, true) if name.bytes().all(|byte| byte.is_ascii_digit()) => {}
        (name, true) => return restore(attributes, name),
        _ => return false,
    }
    true
}

/// Parses a special character: itself, `^` and a letter, `^-` or `undef` for none.
fn parse_character(text: &str) -> Result<Option<u8>, ()> {
    match text.as_bytes() {
        b"^-" | b"undef" => Ok(None),
        b"^?" => Ok(Some(0x7f)),
        [b'^', letter] => Ok(Some(letter.to_ascii_uppercase() ^ 0x40)),
        [byte] => Ok(Some(*byte)),
        _ => Err(()),
    }
}

fn shown_character(character: Option<u8>) -> String {
    match character {
        None => "<undef>".to_owned(),
        Some(byte) if byte.is_ascii_control() => format!("^{}", char::from(byte ^ 0x40)),
        Some(byte) => char::from(byte).to_string(),
    }
}

/// Returns the answer of `stty -a`.
fn all(terminal: &Terminal) -> String {
    let mut attributes = terminal.attributes();
    let Size { columns, rows } = terminal.size();
    let min = attributes.characters.min;
    let of = |name: &str, attributes: &mut Attributes| {
        let found = CHARACTERS.iter().find(|(known, _)| *known == name);
        shown_character(found.and_then(|(_, of)| *of(attributes)))
    };
    let rest = format!(" flush = ^O; min = {min}; time = 0;\n");
    let mut text = format!("speed 38400 baud; rows {rows}; columns {columns}; line = 0;\n");
    for line in [
        &["intr", "quit", "erase", "kill", "eof", "eol"][..],
        &["eol2", "swtch", "start", "stop", "susp", "rprnt"],
        &["werase", "lnext"],
    ] {
        let shown = line
            .iter()
            .map(|name| format!("{name} = {};", of(name, &mut attributes)));
        text.push_str(&shown.collect::<Vec<_>>().join(" "));
        let is_last = line.first() == Some(&"werase");
        text.push_str(if is_last { &rest } else { "\n" });
    }
    let mut mode = |name: &'static str| match MODES.iter().find(|mode| mode.name == name) {
        Some(mode) if *(mode.of)(&mut attributes) => name.to_owned(),
        _ if matches!(
            name,
            "cs8" | "cread" | "nl0" | "cr0" | "tab0" | "bs0" | "vt0" | "ff0"
        ) =>
        {
            name.to_owned()
        }
        _ => format!("-{name}"),
    };
    for line in [
        "parenb parodd cmspar cs8 hupcl cstopb cread clocal crtscts",
        "ignbrk brkint ignpar parmrk inpck istrip inlcr igncr icrnl ixon ixoff",
        "iuclc ixany imaxbel iutf8",
        "opost olcuc ocrnl onlcr onocr onlret ofill ofdel nl0 cr0 tab0 bs0 vt0 ff0",
        "isig icanon iexten echo echoe echok echonl noflsh xcase tostop echoprt",
        "echoctl echoke flusho extproc",
    ] {
        let names: Vec<String> = line.split(' ').map(&mut mode).collect();
        text.push_str(&names.join(" "));
        text.push('\n');
    }
    text
}

/// Bits of the control modes: 38,400 baud, 8 bits, and the receiver is on.
const CONTROL_MODES: u32 = 0xbf;
/// Number of special characters in the kernel's `struct termios`, and the place of VMIN.
const CHARACTER_COUNT: usize = 19;
const MIN: usize = 6;
/// Places of [`CHARACTERS`] there.
const PLACES: [usize; 11] = [0, 1, 2, 3, 4, 8, 9, 10, 12, 14, 15];

/// Returns the modes in the form that [`restore`] reads.
fn saved(mut attributes: Attributes) -> String {
    let mut word = |word: Word| {
        let bits = MODES.iter().filter(|mode| mode.word == word);
        bits.map(|mode| u32::from(*(mode.of)(&mut attributes)) * mode.bit)
            .sum()
    };
    let words: [u32; 4] = [
        word(Word::Input),
        word(Word::Output),
        CONTROL_MODES,
        word(Word::Local),
    ];
    let mut characters = [0; CHARACTER_COUNT];
    for (place, (_, of)) in PLACES.into_iter().zip(CHARACTERS) {
        characters[place] = of(&mut attributes).unwrap_or(0);
    }
    characters[MIN] = attributes.characters.min;
    let words = words.into_iter().map(|word| format!("{word:x}"));
    let characters = characters.into_iter().map(|byte| format!("{byte:x}"));
    words.chain(characters).collect::<Vec<_>>().join(":")
}

/// Applies what [`saved`] returned. Returns false for another text.
fn restore(attributes: &mut Attributes, text: &str) -> bool {
    let numbers: Option<Vec<u32>> = text
        .split(':')
        .map(|number| u32::from_str_radix(number, 16).ok())
        .collect();
    let Some(numbers) = numbers.filter(|numbers| numbers.len() == 4 + CHARACTER_COUNT) else {
        return false;
    };
    let (words, characters) = numbers.split_at(4);
    for mode in &MODES {
        let word = match mode.word {
            Word::Input => words[0],
            Word::Output => words[1],
            Word::Local => words[3],
        };
        *(mode.of)(attributes) = word & mode.bit != 0;
    }
    let byte = |number: u32| u8::try_from(number).unwrap_or(0);
    for (place, (_, of)) in PLACES.into_iter().zip(CHARACTERS) {
        *of(attributes) = Some(byte(characters[place])).filter(|byte| *byte > 0);
    }
    attributes.characters.min = byte(characters[MIN]);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_modes_are_restored() {
        let mut changed = Attributes::default();
        for word in ["raw", "-echo", "igncr"] {
            assert!(set(&mut changed, word), "{word}");
        }
        changed.characters.intr = None;
        let text = saved(changed);
        let mut attributes = Attributes::default();
        assert!(set(&mut attributes, &text));
        assert_eq!(attributes, changed);
        let default = "500:5:bf:8a3b:3:1c:7f:15:4:0:1:0:11:13:1a:0:12:0:17:16:0:0:0";
        assert_eq!(saved(Attributes::default()), default);
        assert!(!set(&mut attributes, "500:5"));
    }
}
