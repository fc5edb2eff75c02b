// Opens a page in headless Chromium and prints its heading: once the page listens for changes, and again when the heading has become another, with what the page
// remembers from before. A page that was loaded anew remembers nothing.
// Arguments: ADDRESS SPKI-HASH PROFILE-DIRECTORY, where the hash is of the one key that certificates may be signed with.
import { chromium } from 'playwright-core'

const [address, spki, profile] = process.argv.slice(2)
setTimeout(() => process.exit(3), 150_000).unref()

const context = await chromium.launchPersistentContext(profile, {
  executablePath: '/usr/bin/chromium',
  headless: true,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--disable-dev-shm-usage', '--host-resolver-rules=MAP *.preview.test 127.0.0.1, MAP * ~NOTFOUND', `--ignore-certificate-errors-spki-list=${spki}`],
})
try {
  const page = context.pages()[0] ?? await context.newPage()
  page.setDefaultTimeout(60_000)
  page.on('console', message => console.error(message.text()))
  page.on('pageerror', error => console.error(error))
  page.on('requestfailed', request => console.error(request.url(), request.failure()?.errorText))
  const connected = page.waitForEvent('console', message => message.text().includes('[vite] connected'))
  await page.goto(address)
  const heading = page.locator('h1', { hasText: /./ })
  const first = await heading.textContent()
  await connected
  await page.evaluate(() => { window.memory = 'the same page' })
  console.log(first)
  await page.waitForFunction(before => document.querySelector('h1')?.textContent !== before, first)
  console.log(await heading.textContent(), 'on', await page.evaluate(() => window.memory ?? 'another page'))
} finally {
  await context.close()
}
