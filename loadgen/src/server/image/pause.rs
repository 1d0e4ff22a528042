//! Assembles the program of the image, which is small enough for machine code.
//!
//! The program blocks SIGTERM, waits until one is pending, and exits with 143, the code
//! that a shell reports for a child that SIGTERM ended. Without blocking, the signal would
//! have its default action, and for the first process of a pid namespace the kernel drops
//! such signals (pid_namespaces(7)). The program is a static ELF file (elf(5)), so it needs
//! no other file in the image.

/// Machine code for x86-64. The numbers of the system calls are those in the kernel's
/// `arch/x86/entry/syscalls/syscall_64.tbl`.
#[rustfmt::skip]
const X86_64: &[u8] = &[
    0xb8, 0x0e, 0x00, 0x00, 0x00, // mov eax, 14: rt_sigprocmask
    0x31, 0xff, // xor edi, edi: SIG_BLOCK
    0x48, 0x8d, 0x35, 0x2d, 0x00, 0x00, 0x00, // lea rsi, [set]
    0x31, 0xd2, // xor edx, edx
    0x41, 0xba, 0x08, 0x00, 0x00, 0x00, // mov r10d, 8: bytes of a set
    0x0f, 0x05, // syscall
    0xb8, 0x80, 0x00, 0x00, 0x00, // wait: mov eax, 128: rt_sigtimedwait
    0x48, 0x8d, 0x3d, 0x17, 0x00, 0x00, 0x00, // lea rdi, [set]
    0x31, 0xf6, // xor esi, esi
    0x31, 0xd2, // xor edx, edx: no limit
    0x0f, 0x05, // syscall
    0x83, 0xf8, 0x0f, // cmp eax, 15: SIGTERM
    0x75, 0xe9, // jne wait
    0xb8, 0xe7, 0x00, 0x00, 0x00, // mov eax, 231: exit_group
    0xbf, 0x8f, 0x00, 0x00, 0x00, // mov edi, 143: 128 + SIGTERM
    0x0f, 0x05, // syscall
    0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // set: SIGTERM
];

/// Machine code for arm64. The numbers of the system calls are those in the kernel's
/// `include/uapi/asm-generic/unistd.h`.
#[rustfmt::skip]
const AARCH64: &[u8] = &[
    0xe8, 0x10, 0x80, 0xd2, // mov x8, 135: rt_sigprocmask
    0x00, 0x00, 0x80, 0xd2, // mov x0, 0: SIG_BLOCK
    0x01, 0x02, 0x00, 0x10, // adr x1, set
    0x02, 0x00, 0x80, 0xd2, // mov x2, 0
    0x03, 0x01, 0x80, 0xd2, // mov x3, 8: bytes of a set
    0x01, 0x00, 0x00, 0xd4, // svc 0
    0x28, 0x11, 0x80, 0xd2, // wait: mov x8, 137: rt_sigtimedwait
    0x60, 0x01, 0x00, 0x10, // adr x0, set
    0x01, 0x00, 0x80, 0xd2, // mov x1, 0
    0x02, 0x00, 0x80, 0xd2, // mov x2, 0: no limit
    0x03, 0x01, 0x80, 0xd2, // mov x3, 8
    0x01, 0x00, 0x00, 0xd4, // svc 0
    0x1f, 0x3c, 0x00, 0xf1, // cmp x0, 15: SIGTERM
    0x21, 0xff, 0xff, 0x54, // b.ne wait
    0xc8, 0x0b, 0x80, 0xd2, // mov x8, 94: exit_group
    0xe0, 0x11, 0x80, 0xd2, // mov x0, 143: 128 + SIGTERM
    0x01, 0x00, 0x00, 0xd4, // svc 0
    0x1f, 0x20, 0x03, 0xd5, // nop: alignment
    0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // set: SIGTERM
];

/// Numbers of the machines in ELF (`e_machine`).
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;

/// Sizes of the headers of ELF, in bytes.
const FILE_HEADER: u16 = 64;
const PROGRAM_HEADER: u16 = 56;

/// Address at which the file is mapped, and the largest page size of kernels for these
/// machines, in bytes.
const ADDRESS: u64 = 0x40_0000;
const PAGE: u64 = 0x1_0000;

/// Returns the program for an architecture by Go's name; `None` if there is none.
pub(super) fn program(architecture: &str) -> Option<Vec<u8>> {
    match architecture {
        "amd64" => Some(elf(EM_X86_64, X86_64)),
        "arm64" => Some(elf(EM_AARCH64, AARCH64)),
        _ => None,
    }
}

/// Returns an executable file with one segment, which contains the headers and the code.
fn elf(machine: u16, code: &[u8]) -> Vec<u8> {
    let headers = u64::from(FILE_HEADER + PROGRAM_HEADER);
    let size = headers + code.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    let mut put = |field: &[u8]| file.extend(field);
    // An executable (ET_EXEC), version 1, its entry, one program header, no sections.
    put(&2u16.to_le_bytes());
    put(&machine.to_le_bytes());
    put(&1u32.to_le_bytes());
    put(&(ADDRESS + headers).to_le_bytes());
    put(&u64::from(FILE_HEADER).to_le_bytes());
    put(&0u64.to_le_bytes());
    put(&0u32.to_le_bytes());
    for number in [FILE_HEADER, PROGRAM_HEADER, 1, 0, 0, 0] {
        put(&number.to_le_bytes());
    }
    // PT_LOAD, readable and executable.
    put(&1u32.to_le_bytes());
    put(&5u32.to_le_bytes());
    for number in [0, ADDRESS, ADDRESS, size, size, PAGE] {
        put(&number.to_le_bytes());
    }
    put(code);
    file
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    #[test]
    fn it_waits_for_sigterm_and_exits_as_a_shells_child() {
        let Some(program) = program(super::super::architecture()) else {
            return;
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pause");
        fs::write(&path, program).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let mut child = loop {
            match Command::new(&path).spawn() {
                // A fork in another thread keeps the file open until its exec.
                Err(e) if e.kind() == ErrorKind::ExecutableFileBusy => {}
                spawned => break spawned.unwrap(),
            }
        };
        // Until the signal is blocked it would end the program by itself. The only call that
        // the program sleeps in is the wait for it (proc_pid_stat(5)).
        let waits = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
            stat.contains("(pause) S")
        };
        while !waits() {
            std::thread::yield_now();
        }
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(143), None));
    }

    #[test]
    fn every_architecture_has_a_whole_file() {
        for (architecture, machine) in [("amd64", EM_X86_64), ("arm64", EM_AARCH64)] {
            let file = program(architecture).unwrap();
            assert_eq!(file[18..20], machine.to_le_bytes());
            let size = u64::from_le_bytes(file[96..104].try_into().unwrap());
            assert_eq!(size, file.len() as u64);
        }
        assert!(program("s390x").is_none());
    }
}
