/**
 * The folder of this package, as a URL. Two folders above this file in src, in dist, and in
 * dist/cli, where scripts/bundle.mjs joins modules: so this file must stay two folders deep.
 */
export const packageRoot = new URL('../../', import.meta.url)
