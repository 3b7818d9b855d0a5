import { describe, expect, it } from 'vitest'
import { parseCommandLine } from '../../../src/cli/program.js'

const parse = (line: string) => parseCommandLine(line === '' ? [] : line.split(' '), '1.2.3')
const command = (line: string) => {
  const parsed = parse(line)
  if (parsed.kind !== 'run') throw new Error(parsed.text)
  return parsed.command
}
const usage = (line: string) => {
  const parsed = parse(line)
  expect(parsed.kind).toBe('usage')
  return parsed.kind === 'usage' ? parsed.text : ''
}
const help = (line: string) => {
  const parsed = parse(line)
  expect(parsed.kind).toBe('text')
  return parsed.kind === 'text' ? parsed.text : ''
}
const names = [
  ...['node', 'push', 'copy', 'wait', 'status', 'add', 'ls', 'rm', 'verify', 'digest', 'keygen'],
]
const log = { format: 'text', level: 'warn' }

describe('fr push', () => {
  it('has few defaults', () =>
    expect(command('push a.bin --to h:1,h:2')).toEqual({
      command: 'push',
      ...{ paths: ['a.bin'], tree: {}, coding: {}, noFollow: false },
      to: [{ address: 'h:1' }, { address: 'h:2' }],
      passed: {},
      noClobber: false,
      strict: false,
      verify: false,
      allowAdd: false,
      wait: false,
      dryRun: false,
      spareOrigin: false,
      json: false,
      quiet: false,
      progress: true,
      log,
    }))

  it('takes every option in base units', () =>
    expect(
      command(
        'push a.bin --nodes n.txt --as b --key-file k --strategy classic --shape group ' +
          '--group-size 4 --digest sha256 --engine portable --no-clobber ' +
          '--strict --verify --uplink 200Mbit --connect-timeout 1500ms --retries 5 --wait ' +
          '--timeout 2h --min-rate 1MiB/s --dry-run --json --log-format json --log-level debug',
      ),
    ).toEqual({
      command: 'push',
      ...{ paths: ['a.bin'], tree: {}, coding: {}, noFollow: false },
      nodesFile: 'n.txt',
      as: 'b',
      keyFile: 'k',
      passed: {
        strategy: 'classic',
        shape: 'group',
        groupSize: 4,
        uplinkBytesPerSecond: 25_000_000,
        connectMs: 1500,
        retries: 5,
        timeoutMs: 7_200_000,
        minRateBytesPerSecond: 1_048_576,
      },
      digest: 'sha256',
      engine: 'portable',
      noClobber: true,
      strict: true,
      verify: true,
      allowAdd: false,
      wait: true,
      dryRun: true,
      spareOrigin: false,
      json: true,
      quiet: false,
      progress: true,
      log: { format: 'json', level: 'debug' },
    }))

  it('joins what --to is given more than once', () =>
    expect(command('push a --to h:1 --to h:2,h:3')).toMatchObject({
      to: [{ address: 'h:1' }, { address: 'h:2' }, { address: 'h:3' }],
    }))

  it('takes the default port where an address names none', () => {
    expect(command('push a --to h,[::1]')).toMatchObject({
      to: [{ address: 'h:7400' }, { address: '[::1]:7400' }],
    })
    expect(command('node --listen 127.0.0.1 --data d')).toMatchObject({ listen: '127.0.0.1:7400' })
    expect(command('status h')).toMatchObject({ addresses: ['h:7400'] })
    const id = '0'.repeat(32)
    expect(command(`add ${id} h --via [::1]`)).toMatchObject({
      node: { address: 'h:7400' },
      via: '[::1]:7400',
    })
  })

  it('shows errors only with --quiet, and no progress without', () => {
    expect(command('push a --to h --quiet')).toMatchObject({
      quiet: true,
      progress: false,
      log: { level: 'error' },
    })
    expect(command('push a --to h -q --log-level debug')).toMatchObject({ log: { level: 'error' } })
    expect(command('push a --to h --no-progress')).toMatchObject({ quiet: false, progress: false })
  })

  it.each([
    ['push', "missing required argument 'path'"],
    ['push a', 'give either --to HOST[:PORT][,...] or --nodes FILE'],
    ['push a --to h:1 --nodes f', 'give either --to HOST[:PORT][,...] or --nodes FILE'],
    ['push a b --to h:1', 'several paths need --as NAME'],
    ['push a --to ::1', "--to: '::1' is not HOST[:PORT]; write IPv6 as [::1]:7400"],
    ['push a --to h:1,h:1', '--to: h:1 is named twice'],
    [
      'push a --to h:1 --shape ring',
      'Allowed choices are auto, unicast, group, chain, tree, binomial.',
    ],
    ['push a --to h:1 --group-size 0', "'0' is not a whole number from 1 to 64"],
    ['push a --to h:1 --uplink 200', "'200' is not a rate"],
    ['push a --to h:1 --connect-timeout soon', "'soon' is not a duration"],
    ['push a --to h:1 --connect-timeout 0s', "'0s' is too short"],
    ['push a --to h:1 --retries 101', "'101' is not a whole number"],
    ['push a --to h:1 --timeout 0s', "'0s' is too short"],
    ['push a --to h:1 --timeout 31d', "'31d' is too long; at most 30d"],
    ['push a --to h:1 --min-rate 5', "'5' is not a rate"],
    ['push a --to', 'argument missing'],
    ['push a --to h:1 --shape unicast --strategy classic', '--strategy classic deals parts to'],
    ['push a --to h:1 --shape unicast --group-size 2', '--group-size cuts nodes into groups'],
    ['push a --to h:1 --trace t.json --dry-run', '--trace records a push'],
    ['push a --to h:1 --trace=', '--trace is empty'],
    ['push a --to h:1 --trace', 'argument missing'],
    ['push a --to h:1 --limit-up 0Mbit', 'it must be above zero'],
    ['push a --to h:1 --limit-up -1Mbit', 'is not a rate'],
    ['push a --to h:1 --limit-up 100', 'is not a rate'],
    ['push a --to h:1 --limit-up 100kbit', 'is less than a block (64.0 KiB) a second'],
    ['push a --to h:1 --limit-down 101Tbit', 'is faster than any link'],
    ['push a --to h:1 --priority 0', 'is not a whole number from 1 to 100'],
    ['node --listen h --data d --limit-up 1kB', 'is less than a block (64.0 KiB) a second'],
    ['node --listen h --data d --limit-down fast', 'is not a rate'],
    ['node --listen h --data d --max-feeds 0', 'is not a whole number from 1 to 65536'],
    ['limit --up 1MB', '--via is required'],
    ['limit --via h', '--up, --down or --off is required'],
    ['limit --via h --off --up 1MB', '--off is both'],
    ['limit --via h --up none', 'is not a rate'],
    ['limit --via h --up 1MB --transfer x', 'is not the id of a transfer'],
    ['push a --to h:1 --handover some', 'Allowed choices are corresponding, every.'],
    ['push a --to h:1 --handover every --shape group', '--handover is between groups'],
    ['push a --to h:1 --site-link a:b', "'a:b' is not SITE:SITE=RATE"],
    ['push a --to h:1 --site-link a:a=1Mbit', 'names one site twice'],
    ['push a --to h:1 --site-link a:b=40B', 'less than a block (64.0 KiB) a second'],
    ['push a --to h:1 --key secret', "unknown option '--key'"],
  ])('refuses: %s', (line, text) => expect(usage(line)).toContain(text))

  it('names the nearest flag', () => {
    expect(usage('push a --too h:1')).toContain("unknown option '--too'\n(Did you mean --to?)")
    expect(usage('push a --to h:1 --jsn')).toContain('(Did you mean --json?)')
    expect(usage('push a --to h:1 --dryrun')).toContain('(Did you mean --dry-run?)')
    expect(usage('push a --to h:1 --dryrun')).toContain('(see fr push --help)')
  })
})

describe('fr node', () => {
  it('has few defaults', () =>
    expect(command('node --listen 127.0.0.1:0 --data d')).toEqual({
      command: 'node',
      listen: '127.0.0.1:0',
      dataDir: ['d'],
      adopt: false,
      mirror: false,
      readOnly: false,
      relayOnly: false,
      json: false,
      log: { format: 'text', level: 'info' },
    }))

  it('takes every option in base units', () =>
    expect(
      command(
        'node --listen [::1]:7400 --data d --key-file k --previous-key-file p --name n ' +
          '--data e --placement whole --adopt --mirror --engine native ' +
          '--keep-partials 7d --min-free 10GiB --log-format json --log-level error --json',
      ),
    ).toEqual({
      command: 'node',
      listen: '[::1]:7400',
      ...{ dataDir: ['d', 'e'], placement: 'whole' },
      keyFile: 'k',
      previousKeyFile: 'p',
      name: 'n',
      adopt: true,
      mirror: true,
      readOnly: false,
      relayOnly: false,
      engine: 'native',
      keepPartialsSeconds: 604_800,
      minFreeBytes: 10 * 2 ** 30,
      json: true,
      log: { format: 'json', level: 'error' },
    }))

  it.each([
    ['node --data d', '--listen is required'],
    ['node --listen h:0', '--data is required'],
    ['node --listen h: --data d', "'h:' is not HOST[:PORT]"],
    ['node --listen h:0 --data d --keep-partials 7', "'7' is not a duration"],
    ['node --listen h:0 --data d --min-free lots', "'lots' is not a size"],
    ['node --listn h:0 --data d', '(Did you mean --listen?)'],
    ['node --listen h:0 --data d --log-level loud', 'Allowed choices are debug, info, warn, error'],
    ['node --listen h:0 --data d extra', 'too many arguments'],
    ['node --listen h:0 --data d --adopt --read-only', 'cannot be used with --read-only'],
  ])('refuses: %s', (line, text) => expect(usage(line)).toContain(text))
})

describe('the small commands', () => {
  it('are parsed', () => {
    expect(command('status h:1 --json --key-file k')).toEqual({
      command: 'status',
      addresses: ['h:1'],
      json: true,
      keyFile: 'k',
    })
    expect(command('digest f --digest sha256')).toEqual({
      command: 'digest',
      path: 'f',
      digest: 'sha256',
    })
    expect(command('digest -- -f')).toEqual({ command: 'digest', path: '-f' })
    expect(command('keygen')).toEqual({ command: 'keygen' })
    expect(command('keygen --out k')).toEqual({ command: 'keygen', out: 'k' })
  })
  it.each([
    ['status', 'give either HOST[:PORT][,...] or --nodes FILE'],
    ['status h:x', "'h:x' is not HOST[:PORT]"],
    ['status h:0', 'the port is a number from 1 to 65535'],
    ['digest', "missing required argument 'file'"],
    ['keygen out', 'too many arguments'],
  ])('refuse: %s', (line, text) => expect(usage(line)).toContain(text))
})

describe('fr add', () => {
  const id = '0123456789abcdef'.repeat(2)

  it('takes a transfer, a node and who passes it on', () => {
    expect(command(`add ${id} [::1]:7 site=x via=g --via h:2 --key-file k --json`)).toEqual({
      command: 'add',
      transfer: id,
      node: { address: '[::1]:7', site: 'x', via: 'g:7400' },
      via: 'h:2',
      keyFile: 'k',
      json: true,
    })
    expect(command(`add ${id} h:1 --via h:2`)).toEqual({
      command: 'add',
      transfer: id,
      node: { address: 'h:1' },
      via: 'h:2',
      json: false,
    })
  })

  it.each([
    ['add', "missing required argument 'transfer'"],
    [`add ${id}`, "missing required argument 'host[:port]'"],
    [`add ${id} h:1`, '--via is required'],
    [`add ${id} h:1 --via`, 'argument missing'],
    [`add ${id} h:1 --via :1`, "':1' is not HOST[:PORT]"],
    [`add ${id} h:0 --via h:2`, 'the port is a number from 1 to 65535'],
    [`add ${id.toUpperCase()} h:1 --via h:2`, 'is not the id of a transfer: 32 hex digits'],
    [`add ${id}0 h:1 --via h:2`, 'is not the id of a transfer: 32 hex digits'],
    [`add ${id} h:1 h:2 --via h:3`, "'h:2' is not NAME=VALUE"],
  ])('refuses: %s', (line, text) => expect(usage(line)).toContain(text))
})

describe('mirrors of a push', () => {
  it('are named in the order in which they are asked', () => {
    const line = 'push a --to x --mirror m --mirror n:1 --spare-origin'
    const wanted = { mirrors: ['m:7400', 'n:1'], spareOrigin: true }
    expect(command(line)).toMatchObject(wanted)
  })

  it.each([
    ['push a --to x --spare-origin', '--spare-origin needs --mirror'],
    ['push a --to x --mirror :1', "':1' is not HOST[:PORT]"],
  ])('refuse: %s', (line, text) => expect(usage(line)).toContain(text))
})

describe('fr copy and fr wait', () => {
  const id = '0123456789abcdef'.repeat(2)
  const shown = { json: false, quiet: false, progress: true, log }

  it('take what they need', () => {
    expect(command('copy a/b --from h --to x:1,x:2')).toEqual({
      command: 'copy',
      name: 'a/b',
      from: 'h:7400',
      to: [{ address: 'x:1' }, { address: 'x:2' }],
      passed: {},
      noClobber: false,
      strict: false,
      allowAdd: false,
      wait: false,
      detach: false,
      ...shown,
    })
    const line =
      'copy a --from h:1 --nodes n --as c --uplink 1MB --timeout 1m --retries 0 --detach -q'
    expect(command(line)).toMatchObject({
      nodesFile: 'n',
      as: 'c',
      passed: { uplinkBytesPerSecond: 1e6, timeoutMs: 60_000, retries: 0 },
      detach: true,
      quiet: true,
      progress: false,
    })
    const silences = '--suspect-after 0.5s --fail-after 1.5s --demote-below 7.5%'
    const waits = `--silence 2s --connect-timeout 3s ${silences} --min-rate 1MB --retries 1 --wait`
    const asked = { demoteBelow: 0.075, suspectAfterMs: 500, failAfterMs: 1_500, retries: 1 }
    const passed = { ...asked, connectMs: 3_000, silenceMs: 2_000, minRateBytesPerSecond: 1e6 }
    const whoever = { passed, wait: true }
    expect(command(`copy a --from h --to x ${waits}`)).toMatchObject(whoever)
    expect(command(`push a --to x ${waits}`)).toMatchObject(whoever)
    const wait = { command: 'wait', transfer: id, via: 'h:2', ...shown }
    expect(command(`wait ${id} --via h:2`)).toEqual(wait)
  })

  it.each([
    ['copy a --from h --to x --fail-after 9s --silence 9s', 'a node has failed before its silence'],
    ['push a --to x --suspect-after 2s --fail-after 2s', 'a node is suspected before'],
    ['copy --from h --to x', "missing required argument 'name'"],
    ['copy a --to x', '--from is required'],
    ['copy a --from h', 'give either --to HOST[:PORT][,...] or --nodes FILE'],
    ['copy a --from h --to x --nodes n', 'give either --to HOST[:PORT][,...] or --nodes FILE'],
    ['copy a --from h --to x --strategy classic --shape unicast', '--shape unicast makes none'],
    ['copy a --from h --to x --group-size 2 --shape unicast', '--group-size cuts nodes'],
    ['copy a --from h --to x --silence 1ms', '--silence <duration>'],
    ['copy a --from h,i --to x', 'HOST[:PORT]'],
    ['wait 12 --via h', 'is not the id of a transfer: 32 hex digits'],
    [`wait ${id}`, '--via is required'],
  ])('refuse: %s', (line, text) => expect(usage(line)).toContain(text))
})

describe('what nodes hold', () => {
  it('is asked of several nodes', () => {
    const nodes = { addresses: ['h:1', '[::1]:7400'], json: false }
    for (const name of ['ls', 'verify', 'disks'])
      expect(command(`${name} h:1,[::1]`)).toEqual({ command: name, ...nodes })
    expect(command('rm h:1,[::1] a/b')).toEqual({ command: 'rm', ...nodes, name: 'a/b' })
  })

  it('is asked by name or pattern', () => {
    const rest = { addresses: ['h:1'], json: true, keyFile: 'k' }
    expect(command('ls h:1 a/**/*.bin --json --key-file k')).toEqual({
      ...rest,
      command: 'ls',
      glob: 'a/**/*.bin',
    })
    expect(command('verify h:1 --json --key-file k -- -a')).toEqual({
      ...rest,
      command: 'verify',
      name: '-a',
    })
  })

  it.each([
    ['ls', "missing required argument 'host[:port][,...]'"],
    ['ls h:x', "'h:x' is not HOST[:PORT]"],
    ['ls h:1,h:1', 'h:1 is named twice'],
    ['ls h:1 a b', 'too many arguments'],
    ['rm h:1', "missing required argument 'name'"],
    ['rm h:1 a b', 'too many arguments'],
    ['verify', 'name either nodes or --via MASTER'],
    ['verify h:1 a b', 'too many arguments'],
  ])('refuses: %s', (line, text) => expect(usage(line)).toContain(text))
})

describe('fr', () => {
  it('names the nearest command', () => {
    expect(usage('psh a')).toContain("unknown command 'psh'\n(Did you mean push?)")
    expect(usage('nodes')).toContain('(Did you mean node?)')
  })

  it('shows its help on stderr where no command is given', () =>
    expect(usage('')).toContain('Usage: fr'))

  it('prints its version', () => {
    expect(help('--version')).toBe('1.2.3\n')
    expect(help('-v')).toBe('1.2.3\n')
  })

  it('has help under the word too, and names what it has no help for', () => {
    expect(help('help')).toBe(help('--help'))
    expect(help('help push')).toBe(help('push --help'))
    expect(usage('help psh')).toContain("unknown command 'psh'\n(Did you mean push?)")
    expect(usage('psh --help')).toContain("unknown command 'psh'\n(Did you mean push?)")
  })

  it('has help that fits 80 columns', () => {
    for (const line of ['--help', ...names.map((name) => `${name} --help`)]) {
      for (const each of help(line).split('\n')) expect(each.length).toBeLessThanOrEqual(80)
    }
  })

  it('shows no option that it refuses, and still refuses it by name', () => {
    const shown = names.map((name) => help(`${name} --help`)).join()
    expect(shown).not.toMatch(/--simulate/)
    expect(command('limit --via h --up 8Mbit --down off')).toMatchObject({
      via: 'h:7400',
      upBytesPerSecond: 1e6,
      downBytesPerSecond: null,
    })
    expect(command('limit --via h --off')).toMatchObject({
      upBytesPerSecond: null,
      downBytesPerSecond: null,
    })
    expect(command('push a --to h --limit-up 8Mbit --priority 20 --flows 3')).toMatchObject({
      passed: { limitUpBytesPerSecond: 1e6, priority: 20, flows: 3 },
    })
    const grouped = '--group-size 2 --handover every --site a --site-link a:b=8Mbit,seal'
    expect(command(`push a --to h --shape tree ${grouped} --site-link b:c=80Mbit`)).toMatchObject({
      passed: {
        shape: 'tree',
        groupSize: 2,
        handover: 'every',
        site: 'a',
        siteLinks: [
          { sites: ['a', 'b'], bytesPerSecond: 1e6, seal: true },
          { sites: ['b', 'c'], bytesPerSecond: 1e7 },
        ],
      },
    })
    expect(command('node --listen h --data d --mirror')).toMatchObject({ mirror: true })
    expect(command('node --listen h --data d --read-only')).toMatchObject({ readOnly: true })
  })

  it('has help with examples for each command', () => {
    const text = help('--help')
    for (const name of names) {
      expect(text).toMatch(new RegExp(`^ {2}${name} `, 'm'))
      const own = help(`${name} --help`)
      expect(own).toContain(`Usage: fr ${name}`)
      expect(own).toContain(`Examples:\n  $ `)
      expect(own).toContain(`fr ${name}`)
    }
  })
})
