// browser.mjs MODULES BASE_URL FOLDER OUTPUT JOBS: opens every page of JOBS (JSON) in one headless Chromium. MODULES holds node_modules
// (scripts/viewers.sh). FOLDER is served below BASE_URL; its pages/ gets the pages, bundled. Each job {name, page, width, height, ...}
// gets OUTPUT/NAME.json, what its page says, with all errors, and NAME.png, what it draws.
import {createRequire} from 'node:module';
import {mkdirSync, readdirSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const [modules, base, folder, output, jobs] = process.argv.slice(2);
const require = createRequire(join(modules, 'package.json'));
const patience = 300000; // a page that has not drawn by then is an error
const here = dirname(fileURLToPath(import.meta.url));

// neuroglancer is an application: it is asked through its own object, and its picture is where its panel is.
async function neuroglancer(page, {state}) {
  await page.goto(`${base}/neuroglancer/v/1/index.html#!${encodeURIComponent(JSON.stringify(state))}`);
  await page.waitForFunction(() => window.viewer?.isReady() && window.viewer.layerManager.managedLayers.length > 0, {timeout: patience});
  await page.addStyleTag({content: '#statusContainer, .neuroglancer-status-container { display: none }'}); // there is no Python server for it to talk to
  return page.evaluate(() => {
    const box = document.querySelector('.neuroglancer-rendered-data-panel').getBoundingClientRect();
    return {
      box: [box.left, box.top, box.width, box.height],
      layers: window.viewer.layerManager.managedLayers.map(({name}) => name),
      state: window.viewer.state.toJSON(),
    };
  });
}

// The picture that the page comes to rest at: twice the same, half a second apart, and nothing is being loaded. A viewer may call
// itself ready before its last layer is drawn.
async function settled(page) {
  for (let before = null, tries = 0; tries < 100; tries++) {
    await page.evaluate(() => new Promise((resolve) => setTimeout(() => requestAnimationFrame(resolve), 500)));
    const now = Buffer.from(await page.screenshot());
    const isReady = await page.evaluate(() => window.viewer?.isReady?.() ?? true);
    if (isReady && before && now.equals(before)) return now;
    before = now;
  }
  throw new Error('the picture does not come to rest');
}

async function ownPage(page, job) {
  await page.goto(`${base}/pages/${job.page}.html`);
  return page.evaluate((job) => window.viewer.show(job), job);
}

mkdirSync(join(folder, 'pages'), {recursive: true});
mkdirSync(output, {recursive: true});
const pages = readdirSync(join(here, 'pages')).map((name) => name.replace(/\.js$/, ''));
await require('esbuild').build({
  entryPoints: pages.map((name) => join(here, 'pages', `${name}.js`)), nodePaths: [join(modules, 'node_modules')],
  bundle: true, format: 'iife', globalName: 'viewer', outdir: join(folder, 'pages'), logLevel: 'error',
  define: {'process.env.NODE_ENV': '"production"'},
});
for (const name of pages)
  writeFileSync(join(folder, 'pages', `${name}.html`), `<!doctype html><meta charset="utf-8"><style>body { margin: 0; background: black }</style><body><script src="${name}.js"></script>`);

const browser = await require('puppeteer-core').launch({
  executablePath: process.env.CHROMIUM, headless: true, protocolTimeout: patience,
  args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--disable-dev-shm-usage'],
});
for (const job of JSON.parse(jobs)) {
  const page = await browser.newPage();
  const errors = [];
  page.setDefaultTimeout(patience);
  page.on('pageerror', (error) => errors.push(String(error)));
  let answer = {};
  try {
    await page.setViewport({width: job.width, height: job.height});
    answer = await (job.page === 'neuroglancer' ? neuroglancer : ownPage)(page, job);
    writeFileSync(join(output, `${job.name}.png`), await settled(page));
  } catch (error) {
    errors.push(String(error.stack ?? error));
  }
  writeFileSync(join(output, `${job.name}.json`), JSON.stringify({...answer, errors}));
  await page.close();
}
await browser.close();
