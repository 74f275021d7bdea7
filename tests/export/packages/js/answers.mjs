// Node: the answers of an npm package. In: {package, rows}. Out: an answer for each row.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { ask } from "./ask.mjs";

const { package: folder, rows } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { load } = await import(pathToFileURL(join(folder, "index.js")));
process.stdout.write(JSON.stringify(await ask(await load(), rows)));
