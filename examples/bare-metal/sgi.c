// SGIs: to each CPU, to all others, to oneself; coalescing; the order in which they are acknowledged.

#include "board.h"

static volatile uint64_t taken[MAX_CPUS][16];
static uint64_t total;

void secondary_main(unsigned cpu)
{
	(void)cpu;
	gic_open_cpu();
	irq_enable();
	arrived();
}

void exception(unsigned kind, struct frame *frame)
{
	(void)frame;
	if ((kind & 3) != IRQ)
		return;
	for (unsigned id = gic_acknowledge(); id != SPURIOUS; id = gic_acknowledge()) {
		taken[this_cpu()][id]++;
		gic_end(id);
		add_exclusive(&total, 1);
	}
}

static void await(uint64_t wanted)
{
	while (__atomic_load_n(&total, __ATOMIC_ACQUIRE) < wanted)
		relax();
}

int main(void)
{
	unsigned cpus;
	uint64_t wanted = 0;

	gic_open_distributor();
	gic_open_cpu();
	cpus = start_all();
	irq_enable();

	for (unsigned id = 0; id < 16; id++)
		for (unsigned cpu = 0; cpu < cpus; cpu++) {
			gic_send(cpu, id);
			await(++wanted);
		}
	print("one to each, of each: %lu taken\n", total);

	for (unsigned id = 0; id < 16; id += 5) {
		gic_send_to_others(id);
		await(wanted += cpus - 1);
	}
	print("to all others: %lu taken, by CPU 0 %lu, by the last %lu\n", total, taken[0][5], taken[cpus - 1][5]);

	irq_disable();
	gic_send(0, 7);
	gic_send(0, 7);
	gic_send(0, 7);
	while (read_register(isr_el1) == 0)
		relax();
	print("pending while masked: ISR_EL1 %lx\n", read_register(isr_el1));
	irq_enable();
	await(++wanted);
	print("three of a kind are one: %lu\n", total);

	// All at once, each with a priority of its own: the most urgent first, and the lower INTID among equals.
	irq_disable();
	for (unsigned id = 0; id < 16; id++)
		gic_set_priority(id, id == 3 ? 0x20 : id == 9 ? 0x40 : 0xa0 - 8 * (id % 5));
	for (unsigned id = 0; id < 16; id++)
		gic_send(0, id);
	for (volatile int i = 0; i < 10000; i++)
		;
	print("acknowledged in this order:");
	for (unsigned id = gic_acknowledge(); id != SPURIOUS; id = gic_acknowledge()) {
		print(" %u (running priority %x)", id, gic_running_priority());
		gic_end(id);
	}
	print("\nidle priority %x\n", gic_running_priority());
	return 0;
}
