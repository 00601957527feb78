// The generic timers of every CPU: interrupts, the level that stays, masks, WFI.

#include "board.h"

static volatile uint64_t interrupts[MAX_CPUS][2], early[MAX_CPUS];
static uint64_t finished;

static uint64_t compare_of(unsigned ppi)
{
	return ppi == PPI_VIRTUAL_TIMER ? read_register(cntv_cval_el0) : read_register(cntp_cval_el0);
}

static void stop(unsigned ppi)
{
	if (ppi == PPI_VIRTUAL_TIMER)
		write_register(cntv_ctl_el0, 0);
	else
		write_register(cntp_ctl_el0, 0);
}

static void start(unsigned ppi, uint64_t ticks)
{
	if (ppi == PPI_VIRTUAL_TIMER) {
		write_register(cntv_tval_el0, ticks);
		write_register(cntv_ctl_el0, 1);
	} else {
		write_register(cntp_cval_el0, read_register(cntpct_el0) + ticks);
		write_register(cntp_ctl_el0, 1);
	}
}

void exception(unsigned kind, struct frame *frame)
{
	unsigned id = gic_acknowledge();

	(void)kind;
	(void)frame;
	if (id == PPI_VIRTUAL_TIMER || id == PPI_PHYSICAL_TIMER) {
		unsigned cpu = this_cpu();

		early[cpu] += read_register(cntvct_el0) < compare_of(id);
		interrupts[cpu][id == PPI_PHYSICAL_TIMER]++;
		stop(id);
	}
	if (id != SPURIOUS)
		gic_end(id);
}

/** Each timer five times, sleeping until it comes. */
static void use_timers(unsigned cpu)
{
	for (int round = 0; round < 5; round++)
		for (unsigned which = 0; which < 2; which++) {
			uint64_t wanted = interrupts[cpu][which] + 1;

			irq_disable();
			start(which == 0 ? PPI_VIRTUAL_TIMER : PPI_PHYSICAL_TIMER, 1000 + 100 * cpu);
			while (interrupts[cpu][which] != wanted) {
				wfi();
				irq_enable();
				irq_disable();
			}
		}
}

void secondary_main(unsigned cpu)
{
	gic_open_cpu();
	arrived();
	use_timers(cpu);
	add_exclusive(&finished, 1);
}

static void one_cpu(void)
{
	uint64_t frequency = read_register(cntfrq_el0), before, after;

	print("the counter has a frequency: %s\n", frequency >= 1000000 && frequency <= 1000000000 ? "yes" : "no");
	before = read_register(cntvct_el0);
	for (volatile int i = 0; i < 2000; i++)
		;
	after = read_register(cntvct_el0);
	print("and moves forwards: %s\n", after > before ? "yes" : "no");

	write_register(cntv_cval_el0, 0);
	write_register(cntv_ctl_el0, 3);
	print("expired and masked: CTL %lx, pending %x\n", read_register(cntv_ctl_el0),
	      read32(sgi_frame(0) + 0x200) >> PPI_VIRTUAL_TIMER & 1);
	write_register(cntv_ctl_el0, 1);
	print("unmasked: pending %x", read32(sgi_frame(0) + 0x200) >> PPI_VIRTUAL_TIMER & 1);
	write_register(cntv_cval_el0, ~0ul);
	print(", moved ahead: CTL %lx, pending %x\n", read_register(cntv_ctl_el0),
	      read32(sgi_frame(0) + 0x200) >> PPI_VIRTUAL_TIMER & 1);
	write_register(cntv_tval_el0, (uint64_t)-1);
	print("TVAL -1: CTL %lx, acknowledged %u", read_register(cntv_ctl_el0), gic_acknowledge());
	print(", while active %u", gic_acknowledge());
	gic_end(PPI_VIRTUAL_TIMER);
	print(", the level is still up: %u", gic_acknowledge());
	stop(PPI_VIRTUAL_TIMER);
	gic_end(PPI_VIRTUAL_TIMER);
	print(", stopped: %u\n", gic_acknowledge());
	write_register(cntv_tval_el0, 50000000);
	print("TVAL counts down: %s\n", (uint32_t)read_register(cntv_tval_el0) < 50000000 ? "yes" : "no");

	// Polling ISTATUS.
	write_register(cntp_tval_el0, 3000);
	write_register(cntp_ctl_el0, 3);
	while ((read_register(cntp_ctl_el0) & 4) == 0)
		relax();
	print("polled: %s\n", read_register(cntpct_el0) >= read_register(cntp_cval_el0) ? "not early" : "early");
	stop(PPI_PHYSICAL_TIMER);
}

int main(void)
{
	unsigned cpus, wrong = 0;
	uint64_t tooEarly = 0;

	gic_open_distributor();
	gic_open_cpu();
	one_cpu();
	cpus = start_all();
	use_timers(0);
	while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) != cpus - 1)
		relax();
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		wrong += interrupts[cpu][0] != 5 || interrupts[cpu][1] != 5;
		tooEarly += early[cpu];
	}
	print("%u CPUs, %u without five of each timer's interrupts, %lu interrupts too early\n", cpus, wrong, tooEarly);
	return 0;
}
