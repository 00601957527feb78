// SPIs: set pending by software and routed to each CPU in turn; the UART's, when it has sent.

#include "board.h"

#define FIRST 40
#define UART_SPI 33
#define UARTIMSC 0x09000038ul
#define UARTICR 0x09000044ul

static uint64_t taken[MAX_CPUS], total, from_uart, wrong_cpu;
static volatile unsigned expected_cpu, expected_id;

void exception(unsigned kind, struct frame *frame)
{
	unsigned id = gic_acknowledge();

	(void)kind;
	(void)frame;
	if (id == SPURIOUS)
		return;
	if (id == UART_SPI) {
		write32(UARTIMSC, 0);
		from_uart++;
	}
	taken[this_cpu()]++;
	if (this_cpu() != expected_cpu || id != expected_id)
		add_exclusive(&wrong_cpu, 1);
	gic_end(id);
	add_exclusive(&total, 1);
}

void secondary_main(unsigned cpu)
{
	(void)cpu;
	gic_open_cpu();
	irq_enable();
	arrived();
}

static void await(uint64_t wanted)
{
	while (__atomic_load_n(&total, __ATOMIC_ACQUIRE) < wanted)
		relax();
}

static void route(unsigned id, unsigned cpu)
{
	write64(GICD_IROUTER + 8 * id, mpidr_of(cpu));
}

static void enable(unsigned id)
{
	write32(GICD_ISENABLER + 4 * (id / 32), 1u << (id % 32));
}

int main(void)
{
	unsigned cpus;
	uint64_t wanted = 0;

	gic_open_distributor();
	for (unsigned word = 1; word < 3; word++)
		write32(GICD + 0x80 + 4 * word, 0xffffffff); // IGROUPR
	for (unsigned id = 32; id < 96; id++)
		gic_set_priority(id, 0xa0);
	write32(GICD_ICFGR + 8, 0xaaaa0000); // 40 to 47 by edges
	gic_open_cpu();
	cpus = start_all();
	irq_enable();

	for (unsigned id = FIRST; id < FIRST + 4; id++) {
		enable(id);
		for (unsigned cpu = 0; cpu < cpus; cpu++) {
			expected_cpu = cpu;
			expected_id = id;
			route(id, cpu);
			write32(GICD_ISPENDR + 4, 1u << (id - 32));
			await(++wanted);
		}
	}
	print("%lu taken, %lu of them wrong, by the last CPU %lu\n", total, wrong_cpu, taken[cpus - 1]);

	// Pending and not enabled: kept; taken back: gone.
	write32(GICD_ISPENDR + 4, 1u << (50 - 32));
	write32(GICD_ISPENDR + 4, 1u << (51 - 32));
	print("pending %x", read32(GICD_ISPENDR + 4));
	write32(GICD_ICPENDR + 4, 1u << (51 - 32));
	print(", then %x\n", read32(GICD_ISPENDR + 4));
	expected_cpu = cpus - 1;
	expected_id = 50;
	route(50, cpus - 1);
	enable(50);
	await(++wanted);
	print("enabled: pending %x, wrong %lu\n", read32(GICD_ISPENDR + 4), wrong_cpu);

	// The UART has sent something, and says so once it may.
	write32(UARTICR, 0x7ff);
	expected_cpu = cpus / 2;
	expected_id = UART_SPI;
	route(UART_SPI, cpus / 2);
	enable(UART_SPI);
	print("now the UART\n");
	write32(UARTIMSC, 0x20);
	await(++wanted);
	print("it has interrupted %lu times, wrong %lu, pending %x\n", from_uart, wrong_cpu, read32(GICD_ISPENDR + 4));
	return 0;
}
