// Lets the optional decoder be missing, as it is where optional packages have been omitted: node --import this file.

import { register } from "node:module";

const hooks = `
export async function resolve(specifier, context, next) {
  if (specifier.startsWith("@alexaltea/")) {
    throw Object.assign(new Error("Cannot find package " + specifier), { code: "ERR_MODULE_NOT_FOUND" });
  }
  return next(specifier, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
