import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type { Plugin } from 'esbuild'

const NAMESPACE = 'late-common-js'
/** What can be the name of an exported constant. */
const NAME = /^[A-Za-z_$][A-Za-z0-9_$]*$/
/** Already inside the wrapper: the package itself is meant. */
const INNER = { inner: true }

/**
 * `await import('package')` of a CommonJS package has only `default` in a bundle with chunks, but
 * every name under Node itself. This gives the bundle the same names, read from the package when
 * the bundle is made.
 */
export const lateCommonJs: Plugin = {
  name: NAMESPACE,
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, async found => {
      const { path, kind, resolveDir, pluginData } = found
      if (kind !== 'dynamic-import' || path.startsWith('node:') || pluginData === INNER) return
      const {
        external,
        path: file,
        errors,
      } = await build.resolve(path, {
        ...{ kind, resolveDir, importer: found.importer, pluginData: INNER },
      })
      if (external || errors.length > 0 || isModule(file)) return
      return { path: file, namespace: NAMESPACE }
    })
    build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => {
      const names = Object.keys(createRequire(import.meta.url)(path) as object)
        .filter(name => NAME.test(name) && name !== 'default')
        .sort()
      const from = JSON.stringify(path)
      const list = names.map(name => `${name}: export_${name}`).join(', ')
      const exported = names.map(name => `export_${name} as ${name}`).join(', ')
      const contents = `import whole from ${from}
const { ${list} } = whole
export { whole as default, ${exported} }`
      return { contents, resolveDir: dirname(path), loader: 'js' }
    })
  },
}

/** Whether Node would take the file for an ECMAScript module. */
function isModule(file: string): boolean {
  if (file.endsWith('.mjs') || file.endsWith('.ts')) return true
  if (file.endsWith('.cjs')) return false
  return nearestType(dirname(file)) === 'module'
}

function nearestType(directory: string): string | undefined {
  for (let folder = directory; folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const text = createRequire(import.meta.url)(`${folder}/package.json`) as { type?: string }
      return text.type
    } catch {
      // The nearest one counts, and it is not here.
    }
  }
  return undefined
}
