// Error numbers (include/uapi/asm-generic/errno-base.h, errno.h); routines return them negated.

export const ENOENT = 2;
export const EIO = 5;
export const ENOMEM = 12;
export const EBUSY = 16;
export const EINVAL = 22;
export const EDEADLK = 35;
export const EBADFD = 77;
export const ETIMEDOUT = 110;
