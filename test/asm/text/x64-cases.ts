// Every x86-64 mnemonic of the text front end in several forms, in AT&T syntax for GNU as.

const ALU = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"];
const CONDITIONS = [
  "o", "no", "b", "c", "nae", "ae", "nb", "nc", "e", "z", "ne", "nz", "be", "na", "a", "nbe", "s", "ns", "p", "pe", "np", "po",
  "l", "nge", "ge", "nl", "le", "ng", "g", "nle",
]; // prettier-ignore

/** Forms with the mnemonic as %. */
function forms(names: readonly string[], ...texts: readonly string[]): string[] {
  return names.flatMap((name) => texts.map((text) => text.replaceAll("@", name)));
}

export const X64_CASES: readonly string[] = [
  // moves
  ...forms(
    ["mov"],
    "@b %al, (%rdi)", "@w %r9w, 2(%rsp)", "@l %eax, 8(%rsi,%rcx,4)", "@q %r15, -8(%rbp,%r12)", "@ (%r13), %rax", "@ %rsp, %rbp",
    "@ %sil, %r8b", "@b $-1, (%rax)", "@w $0x1234, %ax", "@l $1, %r10d", "@q $1, (%rdi)", "@q $-1, %rax", "@ $0x123456789, %rcx",
    "@ $0xffffffff, %rdx", "@ %gs:8, %rax", "@ %fs:(%rax), %ecx", "@ 0x1000, %ebx", "@ 0xfffffffffee00020, %ecx", "@ (,%rdx,8), %eax",
    "@ %cr0, %rax", "@ %rbx, %cr3", "@ %cr8, %r9", "@ %r10, %cr8", "@ %db0, %rax", "@ %rax, %dr7", "@ %ds, %eax", "@ %ss, %ax",
    "@ %es, (%rbx)", "@ %ax, %ds", "@ %ecx, %ss", "@ (%rbx), %fs", "@ %rax, %gs", "@w %cs, 4(%rax)",
  ),
  "movabs $0x123456789abcdef0, %rax", "movabsq $1, %r11",
  "movzbl %al, %ecx", "movzbl (%rax), %r8d", "movzbw %cl, %dx", "movzbq %sil, %rax", "movzwl %ax, %ebx", "movzwq (%rdx), %rbx",
  "movzb %al, %ecx", "movzw %ax, %rcx", "movzx %al, %ebx", "movzx %cx, %rdx", "movsx %al, %rbx", "movsx %ax, %ecx",
  "movsbw %al, %cx", "movsbl (%rax), %ecx", "movsbq %al, %r9", "movswl %ax, %ecx", "movswq (%rcx), %rax", "movslq %eax, %rbx",
  "movslq (%rax), %rbx", "movnti %eax, (%rdi)", "movnti %rax, 8(%rdi)", "movbe (%rax), %ecx", "movbe %rcx, (%rdx)", "movbew (%rax), %cx",
  "lea 8(%rdi,%rax,2), %rcx", "leal (%rax), %ebx", "leaq -1(%r13), %r13", "lea (%rax), %cx",
  ...forms(
    ["xchg"],
    "@ %eax, %ebx", "@ %ebx, %eax", "@ %rcx, %rdx", "@ %al, (%rdi)", "@ (%rdi), %rax", "@w %cx, (%rdx)", "@ %ax, %ax", "@ %r8, %rax",
    "@ %cl, %dil", "lock @ %eax, (%rax)",
  ),
  ...forms(["push", "pop"], "@ %rax", "@ %r12", "@q (%rbx)", "@ %fs", "@ %gs", "@q 8(%rsp)"),
  "push $1", "push $0x1234", "pushq $-129", "push $-128",
  // arithmetic
  ...forms(
    ALU,
    "@ %eax, %ebx", "@b %dil, (%rsi)", "@ (%rsi), %r9w", "@q $1, 8(%rdi)", "@ $0x1000, %rax", "@ $0x12, %al", "@w $0x1234, (%rax)",
    "@l $-129, %ecx", "@ $127, %r8", "@ $128, %dx", "@q $-0x80000000, %rbx",
  ),
  ...forms(ALU.filter((name) => name !== "cmp"), "lock @l $1, (%rdi)", "lock @ %rax, (%rdi)"),
  "test %al, %cl", "test %rax, (%rdi)", "test (%rdi), %rax", "testb $1, (%rax)", "test $0x100, %eax", "testl $1, %ecx", "testq $-1, (%rdx)",
  "test $0x1234, %ax",
  ...forms(["inc", "dec", "not", "neg"], "@ %eax", "@ %r9b", "@q (%rdi)", "@w 2(%rax)", "lock @l (%rdi)", "@b (%r13)"),
  ...forms(["mul", "div", "idiv", "imul"], "@ %ecx", "@q (%rdi)", "@b %sil", "@w (%rax)"),
  "imul %ecx, %edx", "imul (%rax), %r9", "imul $3, %ecx, %edx", "imul $1000, (%rax), %rcx", "imul $3, %ecx", "imulw $300, %cx, %dx",
  ...forms(
    ["rol", "ror", "rcl", "rcr", "shl", "sal", "shr", "sar"],
    "@ $3, %eax", "@ %cl, %rdx", "@ %ecx", "@q $63, (%rdi)", "@b %cl, (%rdi)", "@w $1, %dx", "@l (%rax)",
  ),
  ...forms(["shld", "shrd"], "@ $3, %eax, %ebx", "@ %cl, %rax, (%rdx)", "@ %cl, %ax, %bx", "@q $40, %rax, (%rdi)"),
  ...forms(["bt", "bts", "btr", "btc"], "@ %eax, (%rbx)", "@ %rax, %rcx", "@l $5, (%rdi)", "@ $63, %r9", "@w %ax, (%rbx)"),
  ...forms(["bts", "btr", "btc"], "lock @q $3, (%rdi)", "lock @ %rax, (%rdi)"),
  ...forms(["bsf", "bsr", "tzcnt", "lzcnt", "popcnt"], "@ %eax, %ebx", "@ (%rdi), %r9", "@w (%rdi), %cx", "@q %rax, %rax"),
  "bswap %eax", "bswap %r9", "bswapl %ecx", "bswapq %rcx",
  ...forms(["xadd", "cmpxchg"], "lock @l %eax, (%rdi)", "@ %al, %cl", "lock @ %r9, 8(%rax)", "@w %cx, (%rsi)", "lock @b %sil, (%r12)"),
  "cmpxchg8b (%rdi)", "lock cmpxchg8b (%rdi)", "lock cmpxchg16b 16(%rsp)", "cmpxchg16b (%r12)",
  ...forms(CONDITIONS.map((condition) => `set${condition}`), "@ %al", "@ (%rdi)"),
  ...forms(CONDITIONS.map((condition) => `cmov${condition}`), "@ %eax, %ebx", "@ (%rdi), %r9"),
  "cmovel %eax, %ebx", "cmovneq (%rax), %rbx", "setneb %r9b",
  // strings
  ...forms(["movs", "cmps", "stos", "lods", "scas"], "@b", "@w", "@l", "@q"),
  ...forms(["movs", "stos", "lods"], "rep @b", "rep @w", "rep @l", "rep @q", "rep; @q"),
  ...forms(["cmps", "scas"], "repe @b", "repz @w", "repne @l", "repnz @q"),
  "stos %al, %es:(%rdi)", "stos %rax, (%rdi)", "rep movsb %ds:(%rsi), %es:(%rdi)", "lods (%rsi), %eax", "scas %es:(%rdi), %ax", "cmpsb %es:(%rdi), %ds:(%rsi)",
  // without operands
  "cqto", "cqo", "cltd", "cdq", "cwtd", "cwd", "cltq", "cdqe", "cwtl", "cwde", "cbtw", "cbw", "clc", "stc", "cmc", "lahf", "sahf",
  "cld", "std", "pushfq", "pushf", "popfq", "popf", "leave", "leaveq", "lret", "lretl", "lretq", "lret $16", "lretl $0x1234", "lretq $8", "iret", "iretl", "iretq", "syscall", "sysretl",
  "sysretq", "int1", "int3", "ud2", "endbr64", "cli", "sti", "hlt", "pause", "mfence", "lfence", "sfence", "serialize", "wbinvd",
  "wbnoinvd", "invd", "wrmsr", "rdmsr", "cpuid", "rdtsc", "rdtscp", "rdpmc", "xgetbv", "xsetbv", "swapgs", "stac", "clac", "vmcall", "vmmcall",
  "rsm", "clts", "nop", "nopw (%rax)", "nopl (%rax,%rax)", "nop %eax", "rep nop", "rep; nop", "ret", "retq", "ret $16", "rep ret", "repz ret",
  "monitor", "monitor %rax, %ecx, %edx", "mwait", "mwait %eax, %ecx", "monitorx", "monitorx %rax, %ecx, %edx", "mwaitx",
  "mwaitx %eax, %ecx, %ebx", "sysret",
  // control flow
  "jmp *%rax", "jmp *(%rdi,%rax,8)", "jmpq *8(%rsp)", "call *%r11", "callq *(%rax)", "jmp 1f; 1:", "1: jmp 1b", "call 1f; 1:", "1: callq 1b",
  "jmp .", "jmp . + 2", "call . + 5", "call . + 100 - 3", "ljmp *(%rax)", "lcall *(%rax)",
  "lcall *(%r9)", "int $0x80", "int $3",
  ...forms(CONDITIONS.map((condition) => `j${condition}`), "@ 1f; 1:", "1: nop; @ 1b"),
  "jne 1f; .space 127, 0x90; 1:", "jne 1f; .space 128, 0x90; 1:", "1: .space 126, 0x90; jne 1b", "1: .space 127, 0x90; jne 1b",
  ...forms(["loop", "loope", "loopz", "loopne", "loopnz", "jrcxz", "jecxz"], "1: nop; @ 1b", "@ 1f; nop; 1:"),
  // system
  ...forms(["lgdt", "lidt", "sgdt", "sidt", "invlpg", "clflush", "clflushopt", "clwb", "prefetchw", "prefetchnta", "prefetcht0"], "@ (%rax)", "@ 8(%rdi,%r9)"),
  ...forms(["prefetcht1", "prefetcht2"], "@ (%rax)", "@ 64(%rdi)"),
  ...forms(["rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase"], "@ %rax", "@ %r9d"),
  "rdpid %rax", "umonitor %rdi", "umwait %eax", "tpause %ecx",
  ...forms(["lldt", "ltr", "sldt", "str", "smsw", "lmsw"], "@ %ax", "@ (%rdi)"),
  "ltrw %ax", "sldt %eax", "str %rax", "smsw %rcx",
  ...forms(["in"], "@ $0x61, %al", "@ $0x70, %ax", "@ %dx, %eax", "@ (%dx), %al", "@b $0x61", "@l %dx", "@w %dx, %ax"),
  ...forms(["out"], "@ %al, $0x61", "@ %ax, %dx", "@ %eax, (%dx)", "@b $0x61", "@l %dx", "@b %al, $0x80"),
  // symbols and expressions
  "x = 5; mov $x, %eax", ".set y, 0x40; movq $y * 2, 8 + y(%rax)", "1: mov $1b, %eax", "1: mov $1b, %rax", "1: movabs $1b, %rax",
  "1: lea 1b(%rip), %rax", "lea 1f + 4(%rip), %rax; nop; 1:", "mov 8(%rip), %rax", "movl $1, 1f(%rip); 1:", "movb $1, 1f(%rip); 1:", "1: mov 1b, %ecx",
  "1: mov 1b(,%rax,8), %ecx", "1: mov 1b + 2(%rbx), %ecx", "1: nop; 2: mov $2b - 1b, %eax",
  "1: nop; 2: push $2b - 1b", "1: nop; 2: addl $2b - 1b, %ecx", "mov $1 + 2 * 3, %al", "mov $1 << 4 | 3 - 1, %al", "mov $(1 << 4) | (3 - 1), %al",
  "mov $~0 & 0xff, %al", "mov $'a', %al", "mov $0b101, %al", "mov $010, %al", "mov $-(2 + 3), %eax", "mov $7 / 2 % 2, %eax", "cmpb $'\\n', (%rax)",
  "1: nop; 2: subw $2b - 1b, %cx", "1: .quad 1b, 1b + 8", ".long 1f - ., 1f; nop; 1:", "1: nop; .byte . - 1b", "1: .word . - 1b", "1: nop; .space 8 - (. - 1b)",
  // directives
  ".byte 1, 2, 0xff, -1", ".word 0x1234", ".short 5, 6", ".value 7", ".2byte 8", ".hword 9", ".long 0x12345678, -1", ".int 3", ".4byte 4",
  ".quad 0x123456789abcdef0, -1", ".8byte 1", ".ascii \"a;b#c\\n\\\"\"", ".asciz \"\\x41\\102\", \"b\"", ".string \"x\"", ".space 3", ".space 2, 0xcc",
  ".skip 4, 1", ".zero 5", ".fill 3, 2, 0x1234", ".fill 3", ".rept 3; nop; .endr", ".rept 2; .byte 1; .rept 2; .byte 2; .endr; .endr",
  "nop /* a comment; */; nop", "nop # comment",
  "\n.macro two a, b=7\nmov $\\a, %eax\nmov $\\b, %ecx\n.endm\ntwo 1; two 1 + 2, 3; two b=4,a=5; two 0x10<<2|1",
  "\n.macro eight\n1: dec %ecx\njnz 1b\n.endm\n1: eight; eight; jmp 1b", "\n.macro near place\nmov 8(\\place), %eax\n.endm\nnear %rdi; near %rsp",
  "\n.macro at place, to=%ebx\nmov \\place, \\to\n.endm\nat 8(%rdi), %ecx; at -8(%rsp)", "\n.macro add_to x y\nadd $\\x - 1, \\y\n.endm\nadd_to 5, %rcx",
  "\n.macro inner x\nmov $\\x, %eax\n.endm\n.macro outer x, y\ninner \\x | 2\ninner \\y\n.endm\nouter 1 << 4, 3; .rept 2; outer 1, 2; .endr",
]; // prettier-ignore
