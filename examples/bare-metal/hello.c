// The UART: text, numbers in all formats.

#include "board.h"

int main(void)
{
	print("Hello from CPU %u\n", this_cpu());
	print("%d %d %u %x %c %s %%\n", 0, -2147483647 - 1, 4294967295u, 0xdeadbeefu, 'z', "text");
	print("[%8d] [%08x] [%12s] [%lx] [%lu]\n", 42, 0xbeef, "padded", 0xfedcba9876543210ul, 18446744073709551615ul);
	print("CurrentEL %lx, MPIDR affinity %lx, DAIF %lx\n", read_register(currentel),
	      read_register(mpidr_el1) & 0xff00fffffful, read_register(daif));
	return 0;
}
