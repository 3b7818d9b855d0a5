/** examples/kubernetes: what its parts say of each other, and what it has nodes do. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { limits } from '../../src/base/limits.js'
import { parseCommandLine } from '../../src/cli/program.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (name: string) => readFileSync(join(root, 'examples/kubernetes', name), 'utf8')
const parsed = parseAllDocuments(read('fastreplica.yaml'))
const documents = parsed.map((each) => each.toJS())
const ofKind = (kind: string) => documents.find((each) => each.kind === kind)
const { spec } = ofKind('StatefulSet')
const [container] = spec.template.spec.containers

it('is YAML without a fault, of kinds that each say their version', () => {
  expect(parsed.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([])
  expect(documents.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)).toEqual([
    ...['v1 Service', 'policy/v1 PodDisruptionBudget', 'apps/v1 StatefulSet'],
  ])
})

const typeOf: Record<string, string> = {
  Service: "import('kubernetes-types/core/v1').Service",
  PodDisruptionBudget: "import('kubernetes-types/policy/v1').PodDisruptionBudget",
  StatefulSet: "import('kubernetes-types/apps/v1').StatefulSet",
}

/**
 * Which of these documents do not fit the schemas of Kubernetes, by the types that are made from
 * them: a field of another type, or one that is not known.
 */
function misfits(all: readonly { kind: string }[]): number[] {
  // Below what packages are found in.
  const dir = mkdtempSync(join(root, 'node_modules/.kubernetes-'))
  try {
    const lines = all.map((each, i) => {
      return `export const _${i}: ${typeOf[each.kind]} = ${JSON.stringify(each)}\n`
    })
    const path = join(dir, 'documents.ts')
    writeFileSync(path, lines.join(''))
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const options = '--ignoreConfig --strict --noEmit --skipLibCheck --pretty false --module esnext'
    const args = [tsc, ...`${options} --moduleResolution bundler --types null`.split(' '), path]
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    // Of a fault the first line says where; what explains it is indented.
    return stdout.split('\n').flatMap((line) => {
      if (line === '' || line.startsWith(' ')) return []
      const [, at] = /documents\.ts\((\d+),\d+\): error TS(?:2322|2353|2561|2769):/.exec(line) ?? []
      return [at === undefined ? Number.NaN : Number(at) - 1]
    })
  } finally {
    rmSync(dir, { recursive: true })
  }
}

it('is as the schemas of Kubernetes have it, and what is not is found', () => {
  const wrong = [
    (container: Record<string, unknown>) => (container['imagePullPolcy'] = 'Always'),
    (container: Record<string, unknown>) => (container['args'] = 'node'),
    ({ livenessProbe }: { livenessProbe: { httpGet: object } }) =>
      Object.assign(livenessProbe.httpGet, { prot: 'fr' }),
  ].map((spoil) => {
    const one = structuredClone(ofKind('StatefulSet'))
    spoil(one.spec.template.spec.containers[0])
    return one
  })
  expect(misfits([...documents, ...wrong])).toEqual([3, 4, 5])
})

it('starts a node as this version takes it, at names that others resolve', () => {
  const { namespace, name } = ofKind('Service').metadata
  const own = `node-0.${name}.${namespace}.svc.cluster.local:${limits.defaultPort}`
  const args = container.args.map((arg: string) => arg.replace('$(POD)', 'node-0'))
  expect(parseCommandLine(args, '0')).toMatchObject({
    kind: 'run',
    command: {
      ...{ command: 'node', listen: `0.0.0.0:${limits.defaultPort}`, advertise: own },
      ...{ dataDir: ['/data'], keyFile: '/etc/fastreplica/fr.key' },
    },
  })
  expect(container.env[0]).toMatchObject({ name: 'POD' })
})

it('selects its own pods, and mounts what there is', () => {
  const { labels } = spec.template.metadata
  const service = ofKind('Service').spec
  const selectors = [service.selector, spec.selector.matchLabels]
  expect([...selectors, ofKind('PodDisruptionBudget').spec.selector.matchLabels]).toEqual([
    ...[labels, labels, labels],
  ])
  expect([spec.serviceName, service.clusterIP]).toEqual(['fastreplica', 'None'])
  // The name of the port is that of the SRV records which dns:NAME asks for.
  expect(service.ports).toMatchObject([{ name: 'fr', port: limits.defaultPort, protocol: 'TCP' }])
  const named = (all: readonly { name: string }[]) => all.map(({ name }) => name)
  const claims = spec.volumeClaimTemplates.map((each: { metadata: object }) => each.metadata)
  expect(named(container.volumeMounts).sort()).toEqual(
    [...named(spec.template.spec.volumes), ...named(claims)].sort(),
  )
  const ports = named(container.ports)
  for (const probe of ['startupProbe', 'livenessProbe'])
    expect(ports).toContain(container[probe].httpGet.port)
})

it('has an image that runs nodes as a user, with the version of the package', () => {
  const text = read('Containerfile')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expect(text).toContain(`ARG VERSION=${version}\n`)
  expect(container.image).toBe(`fastreplica:${version}`)
  expect(text).toMatch(/^USER node$/m)
  const args = JSON.parse(/^CMD (.*)$/m.exec(text)?.[1] ?? '')
  expect(parseCommandLine(args, '0')).toMatchObject({ kind: 'run', command: { command: 'node' } })
})
