// Firmware of arm64 machines: personalities by name, and their switches.

export {
  DEFAULT_PERSONALITY,
  findPersonality,
  firmwareSwitches,
  personalityOf,
  type EventCounts,
  type FirmwareChoice,
  type FirmwareSwitches,
  type Personality,
} from "./personality.ts";
export { personalities } from "./personalities.ts";
export { firmwareWords } from "./configuration.ts";
