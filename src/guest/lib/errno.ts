// Error numbers (include/uapi/asm-generic/errno-base.h); routines return them negated.

export const ENOENT = 2;
export const EBUSY = 16;
export const EDEADLK = 35;
