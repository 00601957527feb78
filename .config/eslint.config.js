// Rules for the host: typed. For the core: only what needs no type information, since asc is its type checker.

import ts from "typescript-eslint";

export default ts.config(
  { ignores: ["dist/", "build/", "node_modules/", "coverage/"] },
  {
    files: ["src/**/*.ts", "test/**/*.ts", "bench/**/*.ts", "schema/**/*.ts"],
    extends: [ts.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ["./test/tsconfig.json", "./bench/tsconfig.json"],
        tsconfigRootDir: new URL("..", import.meta.url).pathname,
      },
    },
    rules: {
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "prefer-const": "error",
      eqeqeq: "error",
    },
  },
  {
    files: ["assembly/**/*.ts"],
    extends: [ts.configs.base],
    languageOptions: { parserOptions: { allowInvalidAST: true } },
    rules: {
      "no-dupe-else-if": "error",
      "no-duplicate-case": "error",
      "no-unreachable": "error",
      "prefer-const": "off",
    },
  },
);
