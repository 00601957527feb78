// Ticket locks, and a rendezvous like Linux's stop_machine(): a state machine that all CPUs go through together.

#include "board.h"

#define LOCKED_TURNS 50
#define STOPS 20

enum state { NONE, PREPARE, DISABLE_IRQ, RUN, EXIT };

static struct {
	uint32_t next, owner;
} lock __attribute__((aligned(64)));
static uint64_t under_lock, order;

static void take_lock(void)
{
	uint32_t ticket = __atomic_fetch_add(&lock.next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock.owner, __ATOMIC_ACQUIRE) != ticket)
		relax();
}

static void release_lock(void)
{
	__atomic_store_n(&lock.owner, lock.owner + 1, __ATOMIC_RELEASE);
}

static struct {
	unsigned cpus, calls;
	uint64_t sum;
	uint32_t state, acknowledged __attribute__((aligned(64)));
} stop;
static volatile unsigned round_wanted, cpus_up;
static uint64_t rounds_done, alone_violations, running;
static uint64_t wakeups;

static void set_state(enum state state)
{
	__atomic_store_n(&stop.acknowledged, stop.cpus, __ATOMIC_RELAXED);
	__atomic_store_n(&stop.state, state, __ATOMIC_RELEASE);
}

static void acknowledge(void)
{
	if (__atomic_sub_fetch(&stop.acknowledged, 1, __ATOMIC_ACQ_REL) == 0)
		set_state(stop.state + 1);
}

static void multi_cpu_stop(unsigned cpu)
{
	enum state current = NONE;

	do {
		enum state state = __atomic_load_n(&stop.state, __ATOMIC_ACQUIRE);

		relax();
		if (state == current)
			continue;
		current = state;
		switch (current) {
		case DISABLE_IRQ:
			irq_disable();
			break;
		case RUN:
			if (cpu == 0) {
				// Nobody else does anything now.
				alone_violations += __atomic_load_n(&running, __ATOMIC_ACQUIRE);
				stop.calls++;
				stop.sum += stop.calls * stop.cpus;
			}
			break;
		default:
			break;
		}
		acknowledge();
	} while (current != EXIT);
	irq_enable();
}

/** Work between two stops, which must never be seen during one. */
static void work(unsigned cpu)
{
	for (int turn = 0; turn < LOCKED_TURNS; turn++) {
		__atomic_fetch_add(&running, 1, __ATOMIC_RELAXED);
		take_lock();
		under_lock++;
		order ^= under_lock * (turn + 1);
		release_lock();
		__atomic_fetch_sub(&running, 1, __ATOMIC_RELEASE);
	}
	(void)cpu;
}

void exception(unsigned kind, struct frame *frame)
{
	unsigned id = gic_acknowledge();

	(void)kind;
	(void)frame;
	if (id == SPURIOUS)
		return;
	gic_end(id);
	if (id == 1)
		add_exclusive(&wakeups, 1);
}

static void take_part(unsigned cpu, unsigned round)
{
	work(cpu);
	multi_cpu_stop(cpu);
	if (cpu != 0)
		add_exclusive(&rounds_done, 1);
	(void)round;
}

void secondary_main(unsigned cpu)
{
	gic_open_cpu();
	arrived();
	for (unsigned round = 1; round <= STOPS; round++) {
		while (round_wanted < round) {
			irq_disable();
			if (round_wanted < round)
				wfi();
			irq_enable();
		}
		take_part(cpu, round);
	}
}

int main(void)
{
	unsigned cpus;

	gic_open_distributor();
	gic_open_cpu();
	cpus = start_all();
	irq_enable();
	for (unsigned round = 1; round <= STOPS; round++) {
		stop.cpus = cpus;
		set_state(PREPARE);
		round_wanted = round;
		for (unsigned cpu = 1; cpu < cpus; cpu++)
			gic_send(cpu, 1);
		take_part(0, round);
		while (__atomic_load_n(&rounds_done, __ATOMIC_ACQUIRE) != (uint64_t)round * (cpus - 1))
			relax();
	}
	print("%u stops of %u CPUs, sum %lu, %lu seen working meanwhile\n", stop.calls, cpus, stop.sum, alone_violations);
	print("under the lock %lu, tickets %u %u\n", under_lock, lock.next, lock.owner);
	return 0;
}
