//! Modes and special characters of a terminal, termios(3).

/// Modes and special characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the flags of termios(3)"
)]
pub struct Attributes {
    /// ICRNL: a typed carriage return is a newline.
    pub icrnl: bool,
    /// INLCR: a typed newline is a carriage return.
    pub inlcr: bool,
    /// IGNCR: a typed carriage return is dropped.
    pub igncr: bool,
    /// IXON: ^S stops the output, and ^Q starts it.
    pub ixon: bool,
    /// OPOST: the output is changed as the other flags say.
    pub opost: bool,
    /// ONLCR: a written newline is a carriage return and a newline.
    pub onlcr: bool,
    /// ISIG: ^C, ^\ and ^Z send signals.
    pub isig: bool,
    /// ICANON: input is read by lines, which can be edited.
    pub icanon: bool,
    /// IEXTEN: ^W, ^V and ^R edit the line.
    pub iexten: bool,
    /// ECHO: typed characters are shown.
    pub echo: bool,
    /// ECHOE: an erased character disappears.
    pub echoe: bool,
    /// ECHOK: a newline follows a killed line that is not erased.
    pub echok: bool,
    /// ECHONL: a newline is shown even without ECHO.
    pub echonl: bool,
    /// ECHOCTL: control characters are shown as ^X.
    pub echoctl: bool,
    /// ECHOKE: a killed line disappears.
    pub echoke: bool,
    /// NOFLSH: a signal leaves the input as it is.
    pub noflsh: bool,
    /// Special characters.
    pub characters: Characters,
}

/// Special characters; `None` is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Characters {
    /// VINTR, which sends SIGINT.
    pub intr: Option<u8>,
    /// VQUIT, which sends SIGQUIT.
    pub quit: Option<u8>,
    /// VSUSP, which sends SIGTSTP.
    pub susp: Option<u8>,
    /// VERASE, which erases the last character.
    pub erase: Option<u8>,
    /// VWERASE, which erases the last word.
    pub werase: Option<u8>,
    /// VKILL, which erases the line.
    pub kill: Option<u8>,
    /// VEOF, which ends the input, or the line as it is.
    pub eof: Option<u8>,
    /// VLNEXT, after which a character has no special meaning.
    pub lnext: Option<u8>,
    /// VREPRINT, which shows the line again.
    pub rprnt: Option<u8>,
    /// VSTOP, which stops the output.
    pub stop: Option<u8>,
    /// VSTART, which starts the output.
    pub start: Option<u8>,
    /// VMIN: number of bytes for which a reader without ICANON waits. Only zero and more than
    /// zero are told apart.
    pub min: u8,
}

/// Returns the character that is typed with the control key.
const fn control(letter: u8) -> u8 {
    letter ^ 0x40
}

impl Default for Attributes {
    /// Returns the state of a new terminal: `tty_std_termios` in the kernel's
    /// `drivers/tty/tty_io.c`, and `INIT_C_CC` in `include/asm-generic/termios.h`.
    fn default() -> Self {
        Self {
            icrnl: true,
            inlcr: false,
            igncr: false,
            ixon: true,
            opost: true,
            onlcr: true,
            isig: true,
            icanon: true,
            iexten: true,
            echo: true,
            echoe: true,
            echok: true,
            echonl: false,
            echoctl: true,
            echoke: true,
            noflsh: false,
            characters: Characters {
                intr: Some(control(b'C')),
                quit: Some(control(b'\\')),
                susp: Some(control(b'Z')),
                erase: Some(0x7f),
                werase: Some(control(b'W')),
                kill: Some(control(b'U')),
                eof: Some(control(b'D')),
                lnext: Some(control(b'V')),
                rprnt: Some(control(b'R')),
                stop: Some(control(b'S')),
                start: Some(control(b'Q')),
                min: 1,
            },
        }
    }
}
