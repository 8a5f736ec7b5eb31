import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { configDefaults, defineConfig } from 'vitest/config'
import type { Plugin } from 'vite'
import { Order } from './scripts/test/order.ts'

/** What a deployment takes from its secrets and `npm start` injects: development keys, known to everyone. */
const bindings = {
  ENVIRONMENT: 'development',
  ADMIN_KEY: 'pilotlight-admin',
  DEV_ACCOUNT_KEY: 'pilotlight-dev',
  KEY_ENCRYPTION_SECRET: 'pilotlight-seal-of-tests',
  LAB_URL: 'http://lab.test',
  TOOL_SERVICES: 'STOCK_SERVICE, UNBOUND_SERVICE',
  LAB_PROVIDERS: 'anthropic,openai,openai-chat,gemini,vertex,vertex-anthropic,bedrock,llama-cpp,vllm,sglang',
}

/** `.html` is a text module, as wrangler.toml's rule says; Vite by itself would take it for a page. */
const htmlAsText: Plugin = {
  name: 'html-as-text',
  enforce: 'pre',
  transform(code, id) {
    if (id.endsWith('.html')) return { code: `export default ${JSON.stringify(code)}`, map: null }
    return null
  },
}

/** One process, or one runtime, is handed from file to file; each file finds modules, and objects, as if it were the first. */
const sharedProcess = { isolate: false, setupFiles: ['scripts/test/fresh-modules.ts'] }
const sharedRuntime = {
  isolate: false,
  setupFiles: ['scripts/test/fresh-modules.ts', 'scripts/test/fresh-objects.ts'],
}

const exclude = [...configDefaults.exclude, '.state/**', 'dist/**']

/** The product in workerd. */
const product = () =>
  cloudflareTest({
    wrangler: { configPath: './wrangler.toml' },
    miniflare: {
      bindings,
      // A second Worker, as a tool behind a service binding.
      serviceBindings: { STOCK_SERVICE: 'stock', UNLISTED_SERVICE: 'stock' },
      workers: [
        {
          name: 'stock',
          modules: [{ type: 'ESModule', path: 'test/support/stock-service.mjs' }],
          compatibilityDate: '2026-10-20',
        },
      ],
      compatibilityFlags: [
        'service_binding_extra_handlers', // lets a test call the Worker's own queue() and scheduled()
        'increase_websocket_message_size', // vitest sends modules by WebSocket, and a runtime ends at a message over 1 MiB
      ],
      // In place of the consumers' settings in wrangler.toml: the same roles, without its waiting times.
      queueConsumers: {
        'pilotlight-probes': {
          maxBatchSize: 10,
          maxBatchTimeout: 0.05,
          maxRetries: 2,
          retryDelay: 0,
          deadLetterQueue: 'pilotlight-probes-dead',
        },
        'pilotlight-probes-dead': { maxBatchSize: 10, maxBatchTimeout: 0.05 },
        'pilotlight-observations': { maxBatchSize: 100, maxBatchTimeout: 0.05, maxRetries: 2, retryDelay: 0 },
      },
      // No test reaches the network: what a test has not answered itself is refused here.
      outboundService: async (request: { url: string }) => {
        const { Response } = await import('miniflare')
        return new Response(`no network in tests: ${new URL(request.url).host}`, { status: 599 }) as never
      },
    },
  })

/** Recordings compare every answer, so nothing that another file left may be in their runtime. */
const recordings = 'test/http/recorded.workerd.test.ts'

/** Tests in the product's own runtime. */
const inProduct = (name: string, include: string, without: string[]) => ({
  plugins: [product()],
  test: {
    name,
    ...sharedRuntime,
    // How long, and from which seed, test/scenarios/law.workerd.test.ts plays beside its fixed seeds.
    provide: {
      lawSeconds: Number(process.env['LAW_SECONDS'] ?? 0),
      lawSeed: Number(process.env['LAW_SEED'] ?? 0),
    },
    include: [include],
    exclude: [...exclude, 'test/lab/**', 'test/e2e/**', ...without],
    testTimeout: 90_000,
    hookTimeout: 90_000,
    expect: { poll: { timeout: 30_000 } }, // how long something may take in the background on a busy machine
  },
})

export default defineConfig({
  test: {
    maxWorkers: 3, // one more than cores: files that wait leave room
    sequence: { sequencer: Order },
    projects: [
      {
        plugins: [htmlAsText],
        test: {
          name: 'node',
          ...sharedProcess,
          include: ['test/**/*.test.ts'],
          exclude: [
            ...exclude,
            'test/**/*.workerd.test.ts',
            'test/**/*.e2e.test.ts',
            'test/durable/live/**',
            'test/lab/**',
            'test/e2e/**',
          ],
          testTimeout: 180_000, // worlds of a day are computed here, beside other work on two cores
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'lab',
          ...sharedProcess,
          include: ['test/lab/**/*.test.ts'],
          exclude,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      inProduct('workerd', 'test/**/*.workerd.test.ts', [recordings]),
      inProduct('recorded', recordings, []),
      {
        // The example that is not a bot, in a runtime of its own: live objects are tested by it.
        resolve: {
          alias: { 'pilotlight/live-object': new URL('src/durable/live/index.ts', import.meta.url).pathname },
        },
        plugins: [
          cloudflareTest({
            wrangler: { configPath: './examples/supervisor/wrangler.toml' },
            miniflare: { bindings: { SNAPSHOT_SECRET: 'a secret of tests' } },
          }),
        ],
        test: {
          name: 'live',
          ...sharedRuntime,
          include: ['test/durable/live/**/*.test.ts'],
          exclude,
          testTimeout: 90_000,
          hookTimeout: 90_000,
          expect: { poll: { timeout: 30_000 } },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts', 'test/**/*.e2e.test.ts'],
          exclude,
          testTimeout: 180_000,
          hookTimeout: 180_000, // each file starts the whole product, on ports of its own
        },
      },
    ],
  },
})
