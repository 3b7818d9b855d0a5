/** Certificates on the command line. */
import { describe, expect, it } from 'vitest'
import { parseCommandLine } from '../../../src/cli/program.js'

const parse = (line: string) => parseCommandLine(line.split(' '), '1.2.3')
const command = (line: string) => {
  const parsed = parse(line)
  if (parsed.kind !== 'run') throw new Error(parsed.text)
  return parsed.command
}
const usage = (line: string): string => {
  const parsed = parse(line)
  return parsed.kind === 'usage' ? parsed.text : `no usage error: ${parsed.kind}`
}

describe('certificates', () => {
  it('are taken in place of a key, all or none', () => {
    const tls = '--tls-ca a --tls-cert c --tls-key k'
    expect(command(`node --listen 127.0.0.1 --data d ${tls} --tls-crl r`)).toMatchObject({
      command: 'node',
      tls: { ca: 'a', cert: 'c', key: 'k', crl: 'r' },
    })
    expect(command(`status 127.0.0.1 ${tls}`)).toMatchObject({
      tls: { ca: 'a', cert: 'c', key: 'k' },
    })
    expect(command('status 127.0.0.1')).not.toHaveProperty('tls')
    expect(usage('status 127.0.0.1 --tls-ca a')).toContain('belong together')
    expect(usage(`status 127.0.0.1 ${tls} --key-file k`)).toContain('exclude each other')
  })

  it('are shown by an HTTP door, with their key', () => {
    const line = 'node --listen 127.0.0.1 --data d'
    expect(command(`${line} --http 127.0.0.1:0 --http-cert c --http-key k`)).toMatchObject({
      door: { listen: '127.0.0.1:0', https: { cert: 'c', key: 'k' } },
    })
    expect(command(`${line} --http 127.0.0.1:0`)).not.toHaveProperty('door.https')
    expect(command(`${line} --http 127.0.0.1:0 --http-origin https://a`)).toMatchObject({
      door: { origins: ['https://a'] },
    })
    expect(command(`${line} --http 127.0.0.1:0 --http-least-rate 8KiB/s`)).toMatchObject({
      door: { leastBytesPerSecond: 8_192 },
    })
    expect(usage(`${line} --http 127.0.0.1:0 --http-cert c`)).toContain('belong together')
    expect(usage(`${line} --http-cert c --http-key k`)).toContain('are for --http')
  })

  it('are made by an authority', () => {
    expect(command('ca init d --days 9')).toEqual({
      ...{ command: 'ca', action: 'init', directory: 'd', days: 9, renew: false, json: false },
    })
    expect(command('ca issue n --dir d --renew')).toMatchObject({ name: 'n', renew: true })
    expect(usage('ca issue n')).toContain('needs --dir')
    expect(usage('ca revoke n --dir d --renew')).toContain('--renew is of fr ca issue')
    expect(usage('ca sign n --dir d')).toContain('init, issue, revoke')
  })
})
