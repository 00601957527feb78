// npm run schema: writes the files that are made of the schemas.

import { writeFile } from "node:fs/promises";
import { fileNow, madeFiles } from "./files.ts";

for (const { path, text } of await madeFiles()) {
  const isSame = (await fileNow(path)) === text;
  if (!isSame) await writeFile(new URL(`../${path}`, import.meta.url), text);
  console.log(`${isSame ? "same   " : "written"} ${path}`);
}
