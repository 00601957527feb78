// Entry of every image, entry of the CPUs that PSCI brings up, and exception vectors. There is no MMU.

	.section .text.start, "ax"
	.global _start
	.type _start, %function
_start:
	mov	x0, #0
	b	enter
	.size _start, . - _start

// X0: number of the CPU, which main() gave to PSCI CPU_ON as context.
	.global secondary_start
	.type secondary_start, %function
secondary_start:
enter:
	adrp	x1, stacks
	add	x1, x1, :lo12:stacks
	add	x2, x0, #1
	add	x1, x1, x2, lsl #12
	mov	sp, x1
	msr	tpidr_el1, x0
	adrp	x1, vectors
	add	x1, x1, :lo12:vectors
	msr	vbar_el1, x1
	isb
	cbnz	x0, 1f
	bl	main
	movz	x0, #0x8400, lsl #16		// SYSTEM_OFF
	movk	x0, #0x0008
	hvc	#0
1:	bl	secondary_main
2:	wfi
	b	2b
	.size secondary_start, . - secondary_start

	.macro vector kind
	.balign 128
	sub	sp, sp, #272
	stp	x0, x1, [sp]
	mov	x0, #\kind
	b	take
	.endm

	.section .text.vectors, "ax"
	.balign 2048
	.global vectors
	.type vectors, %function
vectors:
	vector	0
	vector	1
	vector	2
	vector	3
	vector	4
	vector	5
	vector	6
	vector	7
	vector	8
	vector	9
	vector	10
	vector	11
	vector	12
	vector	13
	vector	14
	vector	15
	.size vectors, . - vectors

// struct frame: X0 to X30, ELR, SPSR, then one word to align the stack.
	.type take, %function
take:
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	mrs	x1, elr_el1
	mrs	x2, spsr_el1
	stp	x30, x1, [sp, #240]
	str	x2, [sp, #256]
	mov	x1, sp
	bl	exception
	ldr	x2, [sp, #256]
	ldp	x30, x1, [sp, #240]
	msr	elr_el1, x1
	msr	spsr_el1, x2
	ldp	x28, x29, [sp, #224]
	ldp	x26, x27, [sp, #208]
	ldp	x24, x25, [sp, #192]
	ldp	x22, x23, [sp, #176]
	ldp	x20, x21, [sp, #160]
	ldp	x18, x19, [sp, #144]
	ldp	x16, x17, [sp, #128]
	ldp	x14, x15, [sp, #112]
	ldp	x12, x13, [sp, #96]
	ldp	x10, x11, [sp, #80]
	ldp	x8, x9, [sp, #64]
	ldp	x6, x7, [sp, #48]
	ldp	x4, x5, [sp, #32]
	ldp	x2, x3, [sp, #16]
	ldp	x0, x1, [sp], #272
	eret
	.size take, . - take
