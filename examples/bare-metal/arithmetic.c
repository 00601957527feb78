// Varied C as gcc -O2 compiles it: division, 128 bits, bits, tables, strings, sorting, hashing. Prints checksums.

#include "board.h"

typedef unsigned __int128 u128;
typedef __int128 s128;

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static uint64_t sum;

static void mix(uint64_t value)
{
	sum = (sum ^ value) * 0x100000001b3;
	sum ^= sum >> 29;
}

static void tell(const char *what)
{
	print("%s: %016lx\n", what, sum);
	sum = 0;
}

static void divisions(void)
{
	for (int i = 0; i < 200; i++) {
		uint64_t a = draw() >> (i % 50), b = draw() >> (i % 61) | 1;
		int64_t c = (int64_t)a, d = -(int64_t)(b & 0xffff) - 1;

		mix(a / b);
		mix(a % b);
		mix((uint64_t)(c / d));
		mix((uint64_t)(c % d));
		mix((uint32_t)a / ((uint32_t)b | 1));
		mix((uint64_t)((int32_t)a % ((int32_t)b | 1)));
		mix(a / 10 + a / 7 + a / 1000003);
		mix((uint64_t)(c / 10) + (uint64_t)(c % 1000));
		mix((uint64_t)((int16_t)a / 3) + (uint64_t)((int8_t)b % 5));
	}
	tell("divisions");
}

static void wide(void)
{
	u128 product = 1;
	s128 signedSum = 0;

	for (int i = 0; i < 100; i++) {
		uint64_t a = draw(), b = draw();
		u128 big = (u128)a * b, other = (u128)b << (i % 64) | a;

		product = product * 3 + big;
		signedSum += (s128)(int64_t)a * (int64_t)b;
		mix((uint64_t)(big >> 64));
		mix((uint64_t)((big + other) >> (i % 100)));
		mix((uint64_t)(big - other) + (big > other) + 2 * ((s128)big < (s128)other));
		mix((uint64_t)(big / ((a >> 3) | 1)));
		mix((uint64_t)(other % (b | 1)));
		mix((uint64_t)((s128)signedSum >> (i % 127)));
	}
	mix((uint64_t)product);
	mix((uint64_t)(signedSum / 12345));
	tell("128 bits");
}

/** libgcc's uses vector registers. */
int __popcountdi2(unsigned long value)
{
	int count = 0;

	for (; value != 0; value &= value - 1)
		count++;
	return count;
}

static void bits(void)
{
	for (int i = 0; i < 200; i++) {
		uint64_t a = draw();
		uint32_t b = (uint32_t)draw();

		mix((uint64_t)__builtin_popcountll(a) + (uint64_t)__builtin_parity(b));
		mix((uint64_t)__builtin_clzll(a | 1) << 8 | (uint64_t)__builtin_ctz(b | 0x80000000));
		mix(__builtin_bswap64(a) + __builtin_bswap32(b) + __builtin_bswap16((uint16_t)b));
		mix(a << (b & 63) | a >> (-b & 63));
		mix((uint64_t)(b >> (a & 31) | b << (-a & 31)));
		mix((a & (a - 1)) ^ (a & -a) ^ (a | (a + 1)));
		mix((uint64_t)((int64_t)(a << 11) >> 49) + (b >> 5 & 0x1ff));
		mix((uint64_t)__builtin_ffsll((long long)a) + (uint64_t)__builtin_clrsbll((long long)a));
		mix((a & ~0xff00fful) | (uint64_t)(b & 0xff) << 40);
	}
	tell("bits");
}

static uint64_t dispatch(unsigned which, uint64_t a, uint64_t b)
{
	switch (which) {
	case 0: return a + b;
	case 1: return a - b;
	case 2: return a * b;
	case 3: return a & b;
	case 4: return a | b;
	case 5: return a ^ b;
	case 6: return a << (b & 63);
	case 7: return a >> (b & 63);
	case 8: return a > b ? a : b;
	case 9: return (int64_t)a > (int64_t)b ? a : b;
	case 10: return ~a;
	case 17: return -b;
	case 18: return a == b;
	case 19: return (a < b) + 2 * (a >> 63);
	default: return 1;
	}
}

static uint64_t twice(uint64_t a) { return 2 * a; }
static uint64_t thrice(uint64_t a) { return 3 * a; }
static uint64_t half(uint64_t a) { return a / 2; }
static uint64_t (*const table[])(uint64_t) = { twice, thrice, half };

static void branches(void)
{
	for (unsigned i = 0; i < 400; i++) {
		mix(dispatch(i % 23, draw(), draw()));
		mix(table[i % 3](draw()));
		mix(draw() > (1ul << 62) && (draw() & 3) != 1 ? i : -i);
	}
	tell("switches and calls");
}

struct record {
	uint8_t kind;
	int16_t small;
	uint32_t key;
	int64_t large;
	char name[11];
};

static struct record records[64];

static int compare(const struct record *one, const struct record *other)
{
	if (one->key != other->key)
		return one->key < other->key ? -1 : 1;
	return memcmp(one->name, other->name, sizeof one->name);
}

static void sort(struct record *first, int count)
{
	struct record pivot;
	int low = 0, high = count - 1;

	if (count < 2)
		return;
	pivot = first[count / 2];
	while (low <= high) {
		while (compare(&first[low], &pivot) < 0)
			low++;
		while (compare(&first[high], &pivot) > 0)
			high--;
		if (low <= high) {
			struct record swapped = first[low];

			first[low++] = first[high];
			first[high--] = swapped;
		}
	}
	sort(first, high + 1);
	sort(first + low, count - low);
}

static void structures(void)
{
	for (int i = 0; i < 64; i++) {
		struct record *one = &records[i];

		one->kind = (uint8_t)draw();
		one->small = (int16_t)draw();
		one->key = (uint32_t)draw() % 20;
		one->large = (int64_t)draw() >> 20;
		for (int letter = 0; letter < 10; letter++)
			one->name[letter] = (char)('a' + draw() % 26);
	}
	sort(records, 64);
	for (int i = 0; i < 64; i++) {
		mix(records[i].key + (uint64_t)records[i].small + records[i].kind);
		mix((uint64_t)records[i].large ^ strlen(records[i].name));
		mix((uint64_t)records[i].name[3]);
	}
	memmove(&records[3], &records[0], 20 * sizeof records[0]);
	memset(&records[10].name, 'x', 5);
	for (size_t i = 0; i < sizeof records; i++)
		mix(((unsigned char *)records)[i] * (i + 1));
	tell("structures");
}

/** FIPS 180-4 SHA-256 of a text of less than 56 bytes. */
static void sha256(const char *text)
{
	static uint32_t k[64], h[8];
	uint8_t block[64] = { 0 };
	uint32_t w[64], s[8];
	size_t length = strlen(text);
	unsigned prime = 2, found = 0;

	// The constants are fractions of roots of primes; integer roots by bisection.
	for (; found < 64; prime++) {
		unsigned divisor = 2;

		while (prime % divisor != 0)
			divisor++;
		if (divisor != prime)
			continue;
		u128 low = 0, high = (u128)1 << 36;

		while (high - low > 1) {
			u128 middle = (low + high) / 2;

			if (middle * middle * middle <= (u128)prime << 96)
				low = middle;
			else
				high = middle;
		}
		k[found] = (uint32_t)low;
		if (found < 8) {
			low = 0;
			high = (u128)1 << 36;
			while (high - low > 1) {
				u128 middle = (low + high) / 2;

				if (middle * middle <= (u128)prime << 64)
					low = middle;
				else
					high = middle;
			}
			h[found] = (uint32_t)low;
		}
		found++;
	}
	memcpy(block, text, length);
	block[length] = 0x80;
	block[62] = (uint8_t)(length >> 5);
	block[63] = (uint8_t)(length << 3);
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
		       block[4 * i + 3];
#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] + (ROTATE(w[i - 15], 7) ^ ROTATE(w[i - 15], 18) ^ w[i - 15] >> 3) +
		       (ROTATE(w[i - 2], 17) ^ ROTATE(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(s, h, sizeof s);
	for (int i = 0; i < 64; i++) {
		uint32_t one = s[7] + (ROTATE(s[4], 6) ^ ROTATE(s[4], 11) ^ ROTATE(s[4], 25)) +
			       ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
		uint32_t two = (ROTATE(s[0], 2) ^ ROTATE(s[0], 13) ^ ROTATE(s[0], 22)) +
			       ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

		memmove(s + 1, s, 7 * sizeof s[0]);
		s[4] += one;
		s[0] = one + two;
	}
	print("SHA-256 of \"%s\": ", text);
	for (int i = 0; i < 8; i++)
		print("%08x", h[i] + s[i]);
	print("\n");
}

static uint64_t fibonacci(unsigned n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

int main(void)
{
	divisions();
	wide();
	bits();
	branches();
	structures();
	sha256("abc");
	print("fibonacci %lu\n", fibonacci(15));
	return 0;
}
