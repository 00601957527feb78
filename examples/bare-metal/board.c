// The UART, PSCI, the GIC, and a little of a C library.

#include "board.h"

unsigned char stacks[MAX_CPUS][4096] __attribute__((aligned(4096)));

// --- C library

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
	unsigned char *out = to;
	const unsigned char *in = from;

	for (; bytes >= 8 && (((uintptr_t)out | (uintptr_t)in) & 7) == 0; bytes -= 8, out += 8, in += 8)
		*(uint64_t *)out = *(const uint64_t *)in;
	while (bytes-- > 0)
		*out++ = *in++;
	return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
	unsigned char *out = to;
	const unsigned char *in = from;

	if (out <= in)
		for (size_t i = 0; i < bytes; i++)
			out[i] = in[i];
	else
		while (bytes-- > 0)
			out[bytes] = in[bytes];
	return to;
}

void *memset(void *to, int value, size_t bytes)
{
	unsigned char *out = to;

	while (bytes-- > 0)
		*out++ = (unsigned char)value;
	return to;
}

int memcmp(const void *one, const void *other, size_t bytes)
{
	const unsigned char *a = one, *b = other;

	for (; bytes > 0; bytes--, a++, b++)
		if (*a != *b)
			return *a - *b;
	return 0;
}

size_t strlen(const char *text)
{
	const char *end = text;

	while (*end != '\0')
		end++;
	return (size_t)(end - text);
}

static char *format_number(char *to, uint64_t value, unsigned base, int width, char pad)
{
	char digits[24];
	int count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	for (; width > count; width--)
		*to++ = pad;
	while (count > 0)
		*to++ = digits[--count];
	return to;
}

int format(char *to, const char *format, va_list arguments)
{
	char *start = to;

	for (; *format != '\0'; format++) {
		if (*format != '%') {
			*to++ = *format;
			continue;
		}
		char pad = ' ';
		int width = 0, wide = 0;

		format++;
		if (*format == '0')
			pad = '0';
		for (; *format >= '0' && *format <= '9'; format++)
			width = width * 10 + *format - '0';
		for (; *format == 'l'; format++)
			wide = 1;
		switch (*format) {
		case 'd': {
			int64_t value = wide ? va_arg(arguments, int64_t) : va_arg(arguments, int);

			if (value < 0)
				*to++ = '-';
			to = format_number(to, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, width, pad);
			break;
		}
		case 'u':
			to = format_number(to, wide ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned), 10,
					   width, pad);
			break;
		case 'x':
			to = format_number(to, wide ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned), 16,
					   width, pad);
			break;
		case 'c':
			*to++ = (char)va_arg(arguments, int);
			break;
		case 's':
			for (const char *text = va_arg(arguments, const char *); *text != '\0'; text++, width--)
				*to++ = *text;
			for (; width > 0; width--)
				*to++ = ' ';
			break;
		default:
			*to++ = *format;
			break;
		}
	}
	*to = '\0';
	return (int)(to - start);
}

// --- UART

#define UART 0x09000000ul
#define UARTDR (UART + 0x00)
#define UARTFR (UART + 0x18)
#define UARTFR_TXFF (1u << 5)

static void put(char character)
{
	while ((read32(UARTFR) & UARTFR_TXFF) != 0)
		relax();
	write32(UARTDR, (unsigned char)character);
}

void print(const char *text, ...)
{
	char line[256];
	va_list arguments;

	va_start(arguments, text);
	format(line, text, arguments);
	va_end(arguments);
	for (const char *at = line; *at != '\0'; at++)
		put(*at);
}

// --- CPUs

int64_t psci(uint32_t function, uint64_t one, uint64_t two, uint64_t three)
{
	register uint64_t x0 asm("x0") = function;
	register uint64_t x1 asm("x1") = one;
	register uint64_t x2 asm("x2") = two;
	register uint64_t x3 asm("x3") = three;

	asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory", "x4", "x5", "x6", "x7", "x8", "x9",
		     "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17");
	return (int64_t)x0;
}

static uint64_t up;

void arrived(void)
{
	add_exclusive(&up, 1);
	sev();
}

unsigned start_all(void)
{
	unsigned cpus = 1;

	while (cpus < MAX_CPUS && psci(PSCI_CPU_ON, mpidr_of(cpus), (uint64_t)secondary_start, cpus) == 0)
		cpus++;
	while (__atomic_load_n(&up, __ATOMIC_ACQUIRE) != cpus - 1)
		wfe();
	return cpus;
}

__attribute__((weak)) void secondary_main(unsigned cpu)
{
	(void)cpu;
	arrived();
}

// --- atomics

uint64_t add_exclusive(uint64_t *word, uint64_t value)
{
	uint64_t old, new;
	uint32_t failed;

	do {
		asm volatile("ldaxr %0, [%3]\n\tadd %1, %0, %4\n\tstlxr %w2, %1, [%3]"
			     : "=&r"(old), "=&r"(new), "=&r"(failed)
			     : "r"(word), "r"(value)
			     : "memory");
	} while (failed != 0);
	return old;
}

int has_atomics(void)
{
	return ((read_register(id_aa64isar0_el1) >> 20) & 15) >= 2;
}

uint64_t add_atomic(uint64_t *word, uint64_t value)
{
	uint64_t old;

	if (!has_atomics())
		return add_exclusive(word, value);
	asm volatile(".arch_extension lse\n\tldaddal %1, %0, [%2]" : "=r"(old) : "r"(value), "r"(word) : "memory");
	return old;
}

void barrier_wait(struct barrier *barrier, unsigned cpus)
{
	uint64_t round = __atomic_load_n(&barrier->round, __ATOMIC_ACQUIRE);

	if (add_exclusive(&barrier->arrived, 1) + 1 == cpus) {
		barrier->arrived = 0;
		__atomic_store_n(&barrier->round, round + 1, __ATOMIC_RELEASE);
	} else {
		while (__atomic_load_n(&barrier->round, __ATOMIC_ACQUIRE) == round)
			relax();
	}
}

// --- GICv3

void gic_open_distributor(void)
{
	write32(GICD_CTLR, 0x10); // ARE first
	write32(GICD_CTLR, 0x13); // then both groups
}

void gic_open_cpu(void)
{
	uint64_t rd = redistributor(this_cpu()), sgi = sgi_frame(this_cpu());

	write32(rd + 0x14, read32(rd + 0x14) & ~2u); // GICR_WAKER.ProcessorSleep
	while ((read32(rd + 0x14) & 4) != 0)
		relax();
	write32(sgi + 0x080, 0xffffffff); // IGROUPR0
	for (unsigned id = 0; id < 32; id += 4)
		write32(sgi + 0x400 + id, 0xa0a0a0a0);
	write32(sgi + 0x100, 0xffff | 1u << PPI_VIRTUAL_TIMER | 1u << PPI_PHYSICAL_TIMER); // ISENABLER0
	write_register(S3_0_C12_C12_5, 7); // ICC_SRE_EL1
	gic_set_mask(0xf0);
	write_register(S3_0_C12_C12_7, 1); // ICC_IGRPEN1_EL1
}

void gic_set_priority(unsigned id, unsigned priority)
{
	uint64_t base = id < 32 ? sgi_frame(this_cpu()) + 0x400 : GICD_IPRIORITYR;

	*(volatile uint8_t *)(base + id) = (uint8_t)priority;
}

static void send(uint64_t value)
{
	asm volatile("dsb ishst" ::: "memory");
	write_register(S3_0_C12_C11_5, value); // ICC_SGI1R_EL1
}

void gic_send(unsigned cpu, unsigned id)
{
	send((uint64_t)(cpu >> 4) << 16 | (uint64_t)id << 24 | 1ul << (cpu & 15));
}

void gic_send_to_others(unsigned id)
{
	send(1ul << 40 | (uint64_t)id << 24);
}

// --- exceptions

__attribute__((weak)) void exception(unsigned kind, struct frame *frame)
{
	print("unexpected exception %u on CPU %u: ESR %lx ELR %lx FAR %lx\n", kind, this_cpu(), read_register(esr_el1),
	      frame->elr, read_register(far_el1));
	psci(PSCI_SYSTEM_OFF, 0, 0, 0);
}
