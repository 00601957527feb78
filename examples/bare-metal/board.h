// What the images share: the UART, PSCI, the GIC and the timers of QEMU's virt board, and a little of a C library.

#ifndef BOARD_H
#define BOARD_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_CPUS 512

// --- C library
void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *one, const void *other, size_t bytes);
size_t strlen(const char *text);
/** %d %u %x %c %s %%, with l, a width and leading zeros. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
int format(char *to, const char *format, va_list arguments);

// --- registers
#define read_register(name)                                   \
	({                                                    \
		uint64_t value_;                              \
		asm volatile("mrs %0, " #name : "=r"(value_)::"memory"); \
		value_;                                       \
	})
#define write_register(name, value)                           \
	do {                                                  \
		uint64_t value_ = (value);                    \
		asm volatile("msr " #name ", %0\n\tisb" ::"r"(value_) : "memory"); \
	} while (0)

static inline uint32_t read32(uint64_t address)
{
	return *(volatile uint32_t *)address;
}
static inline void write32(uint64_t address, uint32_t value)
{
	*(volatile uint32_t *)address = value;
}
static inline void write64(uint64_t address, uint64_t value)
{
	*(volatile uint64_t *)address = value;
}

static inline unsigned this_cpu(void)
{
	return (unsigned)read_register(tpidr_el1);
}
static inline void irq_enable(void)
{
	asm volatile("msr daifclr, #2\n\tisb" ::: "memory");
}
static inline void irq_disable(void)
{
	asm volatile("msr daifset, #2" ::: "memory");
}
static inline void wfi(void)
{
	asm volatile("dsb sy\n\twfi" ::: "memory");
}
static inline void wfe(void)
{
	asm volatile("wfe" ::: "memory");
}
static inline void sev(void)
{
	asm volatile("dsb sy\n\tsev" ::: "memory");
}
static inline void relax(void)
{
	asm volatile("yield" ::: "memory");
}

// --- CPUs: numbered as the board numbers MPIDRs, Aff0 = n % 16, Aff1 = n / 16
static inline uint64_t mpidr_of(unsigned cpu)
{
	return (uint64_t)(cpu >> 4) << 8 | (cpu & 15);
}
int64_t psci(uint32_t function, uint64_t one, uint64_t two, uint64_t three);
#define PSCI_VERSION 0x84000000u
#define PSCI_CPU_OFF 0x84000002u
#define PSCI_CPU_ON 0xc4000003u
#define PSCI_AFFINITY_INFO 0xc4000004u
#define PSCI_MIGRATE 0x84000005u
#define PSCI_MIGRATE_INFO_TYPE 0x84000006u
#define PSCI_SYSTEM_OFF 0x84000008u
#define PSCI_SYSTEM_RESET 0x84000009u
#define PSCI_FEATURES 0x8400000au

void secondary_start(void);
/** Brings all CPUs up that there are, and returns how many. Each goes to secondary_main(), which each image has. */
unsigned start_all(void);
void secondary_main(unsigned cpu);
/** By a CPU that has come up: it is counted. start_all() returns when all are. */
void arrived(void);

// --- atomics, by exclusives or, if there are any, by the instructions of Armv8.1
uint64_t add_exclusive(uint64_t *word, uint64_t value);
uint64_t add_atomic(uint64_t *word, uint64_t value);
int has_atomics(void);
/** All CPUs that take part, at one place; usable again and again. */
struct barrier {
	uint64_t arrived, round;
};
void barrier_wait(struct barrier *barrier, unsigned cpus);

// --- GICv3
#define GICD 0x08000000ul
#define GICR 0x080a0000ul
#define GICR_STRIDE 0x20000ul
/** Redistributors of further CPUs stand behind 256 GiB. */
#define GICR_FIRST_WINDOW_CPUS 123u
#define GICR_SECOND 0x4000000000ul
#define GICD_CTLR (GICD + 0x0000)
#define GICD_ISENABLER (GICD + 0x0100)
#define GICD_ISPENDR (GICD + 0x0200)
#define GICD_ICPENDR (GICD + 0x0280)
#define GICD_IPRIORITYR (GICD + 0x0400)
#define GICD_ICFGR (GICD + 0x0c00)
#define GICD_IROUTER (GICD + 0x6000)
#define SPURIOUS 1023u
static inline uint64_t redistributor(unsigned cpu)
{
	return cpu < GICR_FIRST_WINDOW_CPUS ? GICR + cpu * GICR_STRIDE
					    : GICR_SECOND + (cpu - GICR_FIRST_WINDOW_CPUS) * GICR_STRIDE;
}
static inline uint64_t sgi_frame(unsigned cpu)
{
	return redistributor(cpu) + 0x10000;
}
/** Once, by CPU 0: both groups on, affinity routing. */
void gic_open_distributor(void);
/** On each CPU: all SGIs and PPIs in group 1, priority 0xa0, SGIs and timers enabled; PMR 0xf0, group 1 on. */
void gic_open_cpu(void);
/** SGI or PPI of this CPU, or an SPI. */
void gic_set_priority(unsigned id, unsigned priority);
void gic_send(unsigned cpu, unsigned id);
void gic_send_to_others(unsigned id);
static inline unsigned gic_acknowledge(void)
{
	unsigned id = (unsigned)read_register(S3_0_C12_C12_0); // ICC_IAR1_EL1
	asm volatile("dsb sy" ::: "memory");
	return id;
}
static inline void gic_end(unsigned id)
{
	write_register(S3_0_C12_C12_1, id); // ICC_EOIR1_EL1
}
static inline unsigned gic_running_priority(void)
{
	return (unsigned)read_register(S3_0_C12_C11_3);
}
static inline void gic_set_mask(unsigned priority)
{
	write_register(S3_0_C4_C6_0, priority); // ICC_PMR_EL1
}
#define PPI_VIRTUAL_TIMER 27
#define PPI_PHYSICAL_TIMER 30

// --- exceptions
enum { SYNCHRONOUS, IRQ, FIQ, SERROR };
struct frame {
	uint64_t x[31], elr, spsr;
};
/** Of any vector; the kind is (origin << 2) | type. Each image has its own, or takes the one that says what came. */
void exception(unsigned kind, struct frame *frame);

#endif
