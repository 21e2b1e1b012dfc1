/** A real headless Chromium that takes down everything a page complains about. */
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { locateChromium } from '../../deploy/local/programs/locate.ts';

export class WatchedBrowser implements AsyncDisposable {
  readonly complaints: string[] = [];
  readonly #browser: Browser;

  static async launch(): Promise<WatchedBrowser> {
    const executablePath = locateChromium();
    if (executablePath === null) throw new Error('no Chromium: run ./tandem test once, it brings one, or name yours in TANDEM_CHROMIUM');
    return new WatchedBrowser(await chromium.launch({ executablePath, args: ['--no-sandbox'] }));
  }

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  async open(url: string, options: { deadlineMs: number }): Promise<Page> {
    const page = await this.#browser.newPage();
    page.setDefaultTimeout(options.deadlineMs);
    page.on('console', (message) => (message.type() === 'error' || message.type() === 'warning' ? this.complaints.push(`${url}: ${message.text()}`) : 0));
    page.on('pageerror', (error) => this.complaints.push(`${url}: ${error.message}`));
    page.on('response', (response) => (response.status() >= 400 ? this.complaints.push(`${response.status()} ${response.url()}`) : 0));
    await page.goto(url);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}
