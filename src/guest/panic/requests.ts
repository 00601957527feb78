// A task that panics, as a request.

import { i32, ptr, routine } from "../../asm/index.ts";
import { observed } from "../observe.ts";
import { Request } from "../percpu.ts";
import { panic } from "./panic.ts";

export const callPanic = routine("request_panic", { request: ptr(Request) }, i32, (k) => {
  k.mark(observed("call"));
  k.call(panic);
});
