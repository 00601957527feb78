// Lets Node run the sources as they are: node --import ./test/fuzz/typescript.mjs test/fuzz/main.ts

import { register } from "node:module";

register("./typescript-hooks.mjs", import.meta.url);
