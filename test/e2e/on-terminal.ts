/** Commands on a terminal of a given size, whose keys and screen a test has. */
import { main, type Running, type World } from './cli-world.js'

/** Passes the output of a command on unchanged, and what is written to it on as keys. */
const program = `
import fcntl, os, pty, select, struct, sys, termios
rows, columns = int(sys.argv[1]), int(sys.argv[2])
pid, fd = pty.fork()
if pid == 0:
    size = struct.pack('HHHH', rows, columns, 0, 0)
    fcntl.ioctl(0, termios.TIOCSWINSZ, size)
    mode = termios.tcgetattr(0)
    mode[1] &= ~termios.OPOST
    termios.tcsetattr(0, termios.TCSANOW, mode)
    os.execvp(sys.argv[3], sys.argv[3:])
open_ones = [fd, 0]
while True:
    ready, _, _ = select.select(open_ones, [], [])
    if 0 in ready:
        keys = os.read(0, 4096)
        if keys:
            os.write(fd, keys)
        else:
            open_ones.remove(0)
    if fd in ready:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        os.write(1, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

/** `fr` with these arguments, without colours. */
export function startOnTerminal(
  world: World,
  { columns, rows }: TerminalSize,
  args: readonly string[],
): Running {
  const command = [String(rows), String(columns), process.execPath, main, ...args]
  return world.start('python3', ['-c', program, ...command], {
    env: { TERM: 'xterm', NO_COLOR: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}
