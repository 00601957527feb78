// Synchronous exceptions at EL1: syndrome, return address, saved state.

#include "board.h"

/** Where the instruction stands that raises the exception. */
volatile uint64_t resume;

/** NZCV, DAIF and the mode: what else there is depends on the extensions of the PE. */
#define SPSR_COMMON 0xf00003dful

static void say(const char *what, unsigned kind, const struct frame *frame)
{
	uint64_t esr = read_register(esr_el1);

	print("%s: vector %03x, EC %02lx, IL %lx, ISS %lx, SPSR %lx", what, kind * 0x80, esr >> 26, esr >> 25 & 1,
	      esr & 0x1ffffff, frame->spsr & SPSR_COMMON);
	print(", return %ld, x5 %lx\n", frame->elr == resume ? 0l : (int64_t)(frame->elr - resume), frame->x[5]);
}

void exception(unsigned kind, struct frame *frame)
{
	uint64_t esr = read_register(esr_el1);

	switch (esr >> 26) {
	case 0x15:
		say("SVC", kind, frame);
		frame->x[5] = 0x1234;
		break;
	case 0x3c:
		say("BRK", kind, frame);
		frame->elr += 4;
		break;
	case 0x00:
		say("UDF", kind, frame);
		frame->elr += 4;
		break;
	case 0x25:
		say("data abort", kind, frame);
		print("  FAR %lx\n", read_register(far_el1));
		frame->elr += 4;
		break;
	case 0x21:
	case 0x22:
		say(esr >> 26 == 0x21 ? "instruction abort" : "PC alignment", kind, frame);
		print("  FAR %lx\n", read_register(far_el1));
		frame->elr = frame->x[30];
		break;
	default:
		say("unexpected", kind, frame);
		psci(PSCI_SYSTEM_OFF, 0, 0, 0);
		break;
	}
}

/** Goes through some instructions, then through the one that raises the exception. */
#define raise_after(before, instruction)                                                     \
	do {                                                                                 \
		uint64_t x5_;                                                                \
		asm volatile("adr x6, 1f\n\tadrp x7, resume\n\tstr x6, [x7, :lo12:resume]\n\t" \
			     "mov x5, #0x77\n\tmsr nzcv, xzr\n\t" before "\n1:\t" instruction "\n\tmov %0, x5"  \
			     : "=r"(x5_)::"x5", "x6", "x7", "x30", "cc", "memory");          \
		print("  x5 afterwards %lx\n", x5_);                                         \
	} while (0)
#define raise(instruction) raise_after("", instruction)

int main(void)
{
	raise("svc #0");
	raise("svc #0xabcd");
	raise("brk #0x800");
	raise(".inst 0x00000000");
	raise_after("cmp x5, x5", "svc #1");
	raise_after("subs x6, xzr, x5", "svc #2");
	// With SP_EL0, the vectors are other ones.
	asm volatile("mov x6, sp\n\tmsr spsel, #0\n\tmov sp, x6" ::: "x6", "memory");
	raise("svc #3");
	asm volatile("msr spsel, #1" ::: "memory");
	raise_after("msr daifclr, #15", "svc #4");
	raise_after("mov x6, #0x3d00000000", "ldr x5, [x6]");
	raise_after("mov x6, #0x3d00000000", "str x5, [x6, #8]");
	// The return address is the one that is not aligned.
	raise_after("adrp x6, vectors\n\tadd x6, x6, #2\n\tstr x6, [x7, :lo12:resume]", "blr x6");
	print("done, DAIF %lx\n", read_register(daif));
	return 0;
}
