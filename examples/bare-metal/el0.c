// EL0: exceptions from there, what it has of the system, an interrupt that finds it.

#include "board.h"

/** Where the instruction stands that raises the exception, and where EL1 goes on. */
volatile uint64_t resume, back;
static uint64_t user_stack[64];

/** NZCV, DAIF and the mode: what else there is depends on the extensions of the PE. */
#define SPSR_COMMON 0xf00003dful
/** SCTLR_EL1: RES1 bits; and what gives EL0 more. */
#define SCTLR_PLAIN 0x30d00800ul
#define UMA (1ul << 9)
#define DZE (1ul << 14)
#define UCT (1ul << 15)
#define UCI (1ul << 26)
/** The SVC by which EL0 ends. */
#define LEAVE 0xffful

static void say(unsigned kind, const struct frame *frame)
{
	uint64_t esr = read_register(esr_el1);

	print("vector %03x, EC %02lx, IL %lx, ISS %lx, SPSR %lx, return %ld, x5 %lx", kind * 0x80, esr >> 26,
	      esr >> 25 & 1, esr & 0x1ffffff, frame->spsr & SPSR_COMMON,
	      frame->elr == resume ? 0l : (int64_t)(frame->elr - resume), frame->x[5]);
	if (esr >> 26 == 0x24 || esr >> 26 == 0x20 || esr >> 26 == 0x22)
		print(", FAR %lx", read_register(far_el1));
	print("\n");
}

void exception(unsigned kind, struct frame *frame)
{
	uint64_t esr = read_register(esr_el1);

	if ((kind & 3) == IRQ) {
		unsigned id = gic_acknowledge();
		print("vector %03x, SGI %u, SPSR %lx\n", kind * 0x80, id, frame->spsr & SPSR_COMMON);
		gic_end(id);
		frame->x[5] = 0;
		return;
	}
	if (esr >> 26 == 0x15 && (esr & 0xffff) == LEAVE) {
		frame->elr = back;
		frame->spsr = 0x3c5;
		return;
	}
	say(kind, frame);
	if (esr >> 26 == 0x20 || esr >> 26 == 0x22 || esr >> 26 == 0x0e)
		frame->elr = frame->x[30];
	else if (esr >> 26 != 0x15)
		frame->elr += 4;
	frame->spsr &= ~(1ul << 20);
}

/** Goes through some instructions at EL0, then through one more. */
#define at_el0_with(spsr, before, instruction)                                                                     \
	do {                                                                                                       \
		uint64_t x5_;                                                                                      \
		print("%s: ", instruction);                                                                        \
		asm volatile("msr sp_el0, %1\n\tadr x6, 1f\n\tadrp x7, resume\n\tstr x6, [x7, :lo12:resume]\n\t"   \
			     "adr x6, 3f\n\tadrp x7, back\n\tstr x6, [x7, :lo12:back]\n\tadr x6, 2f\n\t"           \
			     "msr elr_el1, x6\n\tmsr spsr_el1, %2\n\tadr x30, 4f\n\tmov x5, #0x77\n\teret\n"       \
			     "2:\t" before "\n1:\t" instruction "\n4:\tsvc #0xfff\n3:\tmov %0, x5"                 \
			     : "=r"(x5_)                                                                           \
			     : "r"(user_stack + 64), "r"((uint64_t)(spsr))                                         \
			     : "x5", "x6", "x7", "x30", "cc", "memory");                                           \
		print("  x5 afterwards %lx, DAIF %lx\n", x5_, read_register(daif));                                \
	} while (0)
#define at_el0(instruction) at_el0_with(0, "", instruction)

/** Refused, then given. */
#define given(bits, instruction)                               \
	do {                                                   \
		write_register(sctlr_el1, SCTLR_PLAIN);        \
		at_el0_with(0, "mov x6, sp", instruction);     \
		write_register(sctlr_el1, SCTLR_PLAIN | (bits)); \
		at_el0_with(0, "mov x6, sp\n\tsub x6, x6, #64", instruction); \
		write_register(sctlr_el1, SCTLR_PLAIN);        \
	} while (0)

static void exceptions(void)
{
	at_el0("svc #0");
	at_el0("svc #0xabcd");
	at_el0_with(0x600003c0, "", "svc #1");
	at_el0_with(0x80, "subs x6, xzr, x5", "svc #2");
	at_el0("brk #0x800");
	at_el0(".inst 0x00000000");
	at_el0_with(0, "mov x6, #0x3d00000000", "ldr x5, [x6]");
	at_el0_with(0, "mov x6, #0x3d00000000", "str x5, [x6, #8]");
	at_el0_with(0, "adr x6, 1f\n\tadd x6, x6, #2\n\tadrp x7, resume\n\tstr x6, [x7, :lo12:resume]", "br x6");
	at_el0_with(1 << 20, "", "nop");
	at_el0("sub sp, sp, #16");
	at_el0("wfi");
}

static void undefined(void)
{
	at_el0("mrs x5, currentel");
	at_el0("mrs x5, tpidr_el1");
	at_el0("msr tpidr_el1, x5");
	at_el0("mrs x5, sctlr_el1");
	at_el0("msr vbar_el1, x5");
	at_el0("mrs x5, elr_el1");
	at_el0("mrs x5, spsel");
	at_el0("msr spsel, #1");
	at_el0("mrs x5, sp_el0");
	at_el0("mrs x5, cntkctl_el1");
	at_el0("mrs x5, isr_el1");
	at_el0("mrs x5, S3_0_C12_C12_0");
	at_el0("msr S3_0_C12_C11_5, x5");
	at_el0("msr tpidrro_el0, x5");
	at_el0("hvc #0");
	at_el0("smc #0");
	at_el0("eret");
	at_el0("tlbi vmalle1");
	at_el0("ic iallu");
	at_el0("dc ivac, x6");
}

static void registers(void)
{
	at_el0_with(0, "mov x6, #0x1234\n\tmsr tpidr_el0, x6", "mrs x5, tpidr_el0");
	at_el0_with(0, "mov x6, #0x60000000\n\tmsr nzcv, x6", "mrs x5, nzcv");
	at_el0("mrs x5, tpidrro_el0");
	given(UMA, "mrs x5, daif");
	given(UMA, "msr daif, x5");
	// Only where they are given: QEMU 7.2 has Op1 and Op2 of their traps' ISS the wrong way round.
	write_register(sctlr_el1, SCTLR_PLAIN | UMA);
	at_el0_with(0, "msr daifset, #15", "mrs x5, daif");
	at_el0_with(0x3c0, "msr daifclr, #3", "mrs x5, daif");
	given(UCI, "dc cvau, x6");
	given(UCI, "dc cvac, x6");
	given(UCI, "dc civac, x6");
	given(UCI, "ic ivau, x6");
	given(DZE, "dc zva, x6");
	write_register(cntkctl_el1, 0);
	at_el0("mrs x5, cntpct_el0");
	at_el0("mrs x5, cntvct_el0");
	at_el0("mrs x5, cntfrq_el0");
	at_el0("mrs x5, cntv_ctl_el0");
	at_el0("msr cntp_cval_el0, x5");
	write_register(cntkctl_el1, 0x303);
	at_el0_with(0, "mrs x5, cntpct_el0\n\tmrs x5, cntvct_el0", "mov x5, #1");
	at_el0("msr cntp_cval_el0, x5");
	at_el0("mrs x5, cntv_ctl_el0");
}

int main(void)
{
	write_register(sctlr_el1, SCTLR_PLAIN);
	exceptions();
	undefined();
	registers();
	gic_open_distributor();
	gic_open_cpu();
	gic_send(0, 3);
	at_el0_with(0x80, "", "nop");
	at_el0_with(0, "", "cbnz x5, .");
	write_register(sctlr_el1, SCTLR_PLAIN | UMA);
	gic_send(0, 4);
	at_el0_with(0x3c0, "msr daifclr, #2", "cbnz x5, .");
	print("done\n");
	return 0;
}
