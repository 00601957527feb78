// A personality as words of the core's configuration block.

import { Config } from "../abi.ts";
import { firmwareSwitches, type FirmwareSwitches } from "./personality.ts";

export function firmwareWords(firmware: FirmwareSwitches): readonly (readonly [field: Config, value: number])[] {
  const { conduit, sdei, signalCheck, maskedSignal, unreadySignal, signaledInfo, openCpuOff, completion } =
    firmwareSwitches;
  const { boundEvents, criticalEvents } = firmware;
  return [
    [Config.FIRMWARE_CONDUIT, conduit[firmware.conduit]],
    [Config.SDEI_VERSION, sdei[firmware.sdei]],
    [Config.SDEI_SIGNAL_CHECK, signalCheck[firmware.signalCheck]],
    [Config.SDEI_MASKED_SIGNAL, maskedSignal[firmware.maskedSignal]],
    [Config.SDEI_UNREADY_SIGNAL, unreadySignal[firmware.unreadySignal]],
    [Config.SDEI_SIGNALED_INFO, signaledInfo[firmware.signaledInfo]],
    [Config.SDEI_OPEN_CPU_OFF, openCpuOff[firmware.openCpuOff]],
    [Config.SDEI_COMPLETION, completion[firmware.completion]],
    [Config.SDEI_PRIVATE_SLOTS, boundEvents.private],
    [Config.SDEI_SHARED_SLOTS, boundEvents.shared],
    [Config.SDEI_CRITICAL_PRIVATE, criticalEvents.private],
    [Config.SDEI_CRITICAL_SHARED, criticalEvents.shared],
  ];
}
