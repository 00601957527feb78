// Error numbers (include/uapi/asm-generic/errno-base.h, errno.h); routines return them negated.

/** No such CPU. */
export const ENOENT = 2;
export const EIO = 5;
export const ENOMEM = 12;
/** Somebody else is at it. */
export const EBUSY = 16;
/** An argument that can't be. */
export const EINVAL = 22;
export const EDEADLK = 35;
export const EBADFD = 77;
/** A wait was given up. */
export const ETIMEDOUT = 110;
