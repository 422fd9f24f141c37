# The signal handler of legacy_doctor/probe/recorder.py, which holds these bytes as hex.
#
#     void handler(int signal, siginfo_t *info, ucontext_t *context)
#
# x86-64 Linux, position-independent, nothing but system calls: it is complete where Python and
# malloc are not. RBX: the data block, R12: the signal, R13: siginfo, R14: ucontext.

.intel_syntax noprefix

# The data block, as `recorder.block` packs it.
.set FD, 0
.set PID, 4
.set OWNER, 8
.set SIGNAL, 12
.set DEVICE, 16
.set INODE, 24
.set CALLBACK, 32
.set STACK, 40
.set VECTOR, 48
.set PAYLOAD, 64
.set LENGTH, 72
.set TAG, 88
.set SIZE, 92
.set DEFAULT, 96
.set MAPS, 128
.set BUFFER, 256
.set BUFFER_SIZE, 4080
.set ACTIONS, 4352

.text
handler:
    push rbp
    mov rbp, rsp
    and rsp, -16                # QEMU 7.2 enters 8 bytes off
    push rbx
    push r12
    push r13
    push r14
    push r15
    push r15                    # twice: keeps the alignment
    movabs rbx, 0x1122334455667788  # the data block's address is put here
    mov r12d, edi
    mov r13, rsi
    mov r14, rdx

    mov eax, 39                 # getpid
    syscall
    cmp eax, [rbx+PID]
    jne die                     # a child of fork: not our fault to tell
    mov eax, 186                # gettid
    syscall
    mov ecx, eax
    xor eax, eax
    lock cmpxchg [rbx+OWNER], ecx
    je first
    cmp eax, ecx
    je again
sleep:
    mov eax, 34                 # pause: another thread is at it and will end the process
    syscall
    jmp sleep
again:
    mov r12d, [rbx+SIGNAL]      # died while recording: end by the first signal
    jmp die

first:
    mov [rbx+SIGNAL], r12d
    mov eax, 5                  # fstat: is it still the pipe we were given?
    mov edi, [rbx+FD]
    lea rsi, [rbx+BUFFER]
    syscall
    test eax, eax
    jne finish
    mov rax, [rbx+BUFFER]
    cmp rax, [rbx+DEVICE]
    jne finish
    mov rax, [rbx+BUFFER+8]
    cmp rax, [rbx+INODE]
    jne finish

    mov edi, 0x4f464e49         # INFO
    mov r8, r13
    mov r9d, 128
    call piece
    mov edi, 0x53474552         # REGS
    lea r8, [r14+40]
    mov r9d, 184
    call piece
    mov r15d, 0x45444f43        # CODE
    mov r8, [r14+168]           # RIP
    mov r9d, 16
    call readable
    mov r15d, 0x4b415453        # STAK
    mov r8, [r14+160]           # RSP
    mov r9d, 2048
    call readable

    mov eax, 257                # openat
    mov edi, -100               # AT_FDCWD
    lea rsi, [rbx+MAPS]
    mov edx, 0x80000            # O_RDONLY | O_CLOEXEC
    xor r10d, r10d
    syscall
    test eax, eax
    js end
    mov r15d, eax
map:
    xor eax, eax                # read
    mov edi, r15d
    lea rsi, [rbx+BUFFER]
    mov edx, BUFFER_SIZE
    syscall
    test eax, eax
    jle end
    mov r9d, eax
    lea r8, [rbx+BUFFER]
    mov edi, 0x5350414d         # MAPS
    call piece
    jmp map
end:
    mov edi, 0x53444e45         # ENDS
    xor r9d, r9d
    call piece

    mov rax, [rbx+CALLBACK]
    test rax, rax
    je finish
    mov edi, r12d
    mov rsi, r13
    mov rdx, r14
    mov r15, rsp
    mov rsp, [rbx+STACK]        # Python needs more than a signal stack may have
    call rax
    mov rsp, r15

finish:                         # what stood in our place before (faulthandler) comes next
    mov esi, r12d
    shl esi, 5
    lea rsi, [rbx+rsi+ACTIONS]
    call act
die:
    lea rsi, [rbx+DEFAULT]
    call act
    pop r15                     # not reached
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    leave
    ret

# Send this thread the signal, to be handled by the sigaction at RSI.
act:
    mov eax, 13                 # rt_sigaction
    mov edi, r12d
    xor edx, edx
    mov r10d, 8
    syscall
    mov eax, 39                 # getpid
    syscall
    mov r15d, eax
    mov eax, 186                # gettid
    syscall
    mov esi, eax
    mov edi, r15d
    mov edx, r12d
    mov eax, 234                # tgkill
    syscall
    ret

# Write what can be read of R9 (at most 4096) bytes at R8, with the tag in R15.
readable:
    mov rsi, r8
    and rsi, -8
    call peek
    je none
    lea rsi, [r8+r9-1]
    and rsi, -4096              # the page of the last byte
    cmp rsi, r8
    jbe whole
    call peek
    jne whole
    sub rsi, r8
    mov r9, rsi
whole:
    mov edi, r15d
    jmp piece
none:
    xor r9d, r9d
    jmp whole

# Zero flag: the 8 bytes at RSI cannot be read. rt_sigprocmask reads them before it refuses; of
# address 0 it would read nothing.
peek:
    test rsi, rsi
    je done
    mov eax, 14                 # rt_sigprocmask
    mov edi, -1
    xor edx, edx
    mov r10d, 8
    syscall
    cmp eax, -14                # EFAULT
done:
    ret

# Write R9 bytes at R8 with the tag in EDI: one writev, which a pipe takes whole.
piece:
    mov [rbx+TAG], edi
    mov [rbx+SIZE], r9d
    mov [rbx+PAYLOAD], r8
    mov [rbx+LENGTH], r9
retry:
    mov eax, 20                 # writev
    mov edi, [rbx+FD]
    lea rsi, [rbx+VECTOR]
    mov edx, 2
    syscall
    cmp eax, -4                 # EINTR
    je retry
    ret
