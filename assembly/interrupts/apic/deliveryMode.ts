// Delivery modes of ICR and LVT (Intel SDM 3A 11.5.1, 11.6.1, rev. 083).

export enum DeliveryMode {
  FIXED = 0,
  /** ICR only. */
  LOWEST_PRIORITY = 1,
  SMI = 2,
  NMI = 4,
  INIT = 5,
  /** ICR only. */
  STARTUP = 6,
  /** LVT only: the vector comes from an 8259. */
  EXTINT = 7,
}
