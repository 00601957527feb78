// Priorities: the mask, the binary point and preemption, EOImode and deactivation, interrupts of an active kind.

#include "board.h"

static char log[256];
static char *at = log;
static unsigned mode;

static void note(const char *text, ...)
{
	va_list arguments;

	va_start(arguments, text);
	at += format(at, text, arguments);
	va_end(arguments);
}

static void tell(const char *what)
{
	*at = '\0';
	print("%s:%s\n", what, log);
	at = log;
}

/** Until what was sent has surely come, if it comes at all. */
static void linger(void)
{
	for (volatile int i = 0; i < 5000; i++)
		;
}

/** SGI 1 sends 2 and 3 to itself, and lets in what may preempt it. */
void exception(unsigned kind, struct frame *frame)
{
	uint64_t elr = frame->elr, spsr = frame->spsr;
	unsigned id;

	(void)kind;
	id = gic_acknowledge();
	note(" <%u@%x", id, gic_running_priority());
	if (id == 1) {
		gic_send(0, 2);
		gic_send(0, 3);
		irq_enable();
		linger();
		irq_disable();
	}
	gic_end(id);
	note(" %u@%x>", id, gic_running_priority());
	if (mode == 1 && id != SPURIOUS) {
		note(" active %x", read32(sgi_frame(0) + 0x300) & 0xffff);
		write_register(S3_0_C12_C11_1, id); // ICC_DIR_EL1
	}
	frame->elr = elr;
	frame->spsr = spsr;
}

static void run(const char *what, unsigned one, unsigned two, unsigned three)
{
	gic_set_priority(1, one);
	gic_set_priority(2, two);
	gic_set_priority(3, three);
	gic_send(0, 1);
	irq_enable();
	linger();
	irq_disable();
	tell(what);
}

int main(void)
{
	gic_open_distributor();
	gic_open_cpu();

	run("less urgent and more urgent", 0x80, 0xa0, 0x40);
	run("equal", 0x80, 0x80, 0x80);
	write_register(S3_0_C12_C12_3, 7); // ICC_BPR1_EL1: one bit of group priority
	run("in one group of priorities", 0x60, 0x40, 0x20);
	run("in two groups of priorities", 0xa0, 0x40, 0xc0);
	write_register(S3_0_C12_C12_3, 3);

	gic_set_priority(1, 0xa0);
	gic_set_priority(2, 0x60);
	gic_set_mask(0x80);
	gic_send(0, 1);
	gic_send(0, 2);
	linger();
	print("mask 80: pending %x, highest %u", read32(sgi_frame(0) + 0x200) & 0xffff,
	      (unsigned)read_register(S3_0_C12_C12_2)); // ICC_HPPIR1_EL1
	print(", acknowledged %u", gic_acknowledge());
	gic_end(2);
	print(", then %u", gic_acknowledge());
	gic_set_mask(0xf0);
	print(", mask f0: %u\n", gic_acknowledge());
	gic_end(1);

	mode = 1;
	write_register(S3_0_C12_C12_4, 2); // ICC_CTLR_EL1.EOImode
	run("EOImode 1", 0x80, 0xa0, 0x40);

	// An active interrupt waits for its deactivation when it comes again; another doesn't.
	gic_send(0, 5);
	linger();
	print("acknowledged %u", gic_acknowledge());
	gic_end(5);
	gic_send(0, 5);
	gic_send(0, 6);
	linger();
	print(", pending %x, active %x", read32(sgi_frame(0) + 0x200) & 0xffff, read32(sgi_frame(0) + 0x300) & 0xffff);
	print(", then %u", gic_acknowledge());
	gic_end(6);
	write_register(S3_0_C12_C11_1, 6);
	print(", then %u", gic_acknowledge());
	write_register(S3_0_C12_C11_1, 5);
	print(", deactivated: %u\n", gic_acknowledge());
	return 0;
}
