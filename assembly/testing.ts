// What tests look at inside the core, beside its ABI. Compiled together with the core to the checked core:
// asc assembly/testing.ts --target checked

import { decodedOperation } from "./arm64/testing.ts";
import { clearSecureActive, setPpiLine, setSecureActive } from "./interrupts/gic/testing.ts";
import { bytesAddress, decodeBytes } from "./x86/testing.ts";

export { bytesAddress, clearSecureActive, decodeBytes, decodedOperation, setPpiLine, setSecureActive };
