// Chromium: what a page answers, once it is loaded without any network.
// In: {chromium, url, rows, screenshot}. Out: {answers, shown, requests, complaints, unnamed}.
import { readFileSync } from "node:fs";

import puppeteer from "puppeteer-core";

import { ask } from "./ask.mjs";

const { chromium, url, rows, screenshot } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ["--no-sandbox", "--disable-background-networking"],
  protocolTimeout: 280_000,
});
const page = await browser.newPage();
const requests = [];
const complaints = [];
page.on("request", (request) => requests.push(request.url()));
page.on("console", (message) => complaints.push(message.text()));
page.on("pageerror", (error) => complaints.push(error.message));
await page.goto(url);
await page.waitForFunction(() => !document.getElementById("judge").disabled);
await page.evaluate(async () => {
  const { load } = await import("./wren/index.js");
  globalThis.model = await load();
});
await page.setOfflineMode(true);

const answers = await page.evaluate(`(${ask})(model, ${JSON.stringify(rows)})`);

// As a person would: by the keyboard alone.
for (const [i, box] of (await page.$$("textarea")).entries()) {
  await box.focus();
  await page.keyboard.sendCharacter(rows[0][i]);
}
await page.keyboard.press("Tab");
await page.keyboard.press("Enter");
await page.waitForSelector("#answer:not([hidden])");
const shown = await page.$eval("#status", (status) => status.innerText);
if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
const unnamed = await page.$$eval("textarea", (boxes) => boxes.filter((box) => !box.labels.length).length);
await browser.close();
process.stdout.write(JSON.stringify({ answers, shown, requests, complaints, unnamed }));
