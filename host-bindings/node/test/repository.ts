// Where things are in the repository, and its Rust programs.
import { execFileSync } from 'node:child_process';
import path from 'node:path';

/** The repository: compiled tests are in `host-bindings/node/out`. */
export const repository = path.resolve(import.meta.dirname, '../../..');

/** Builds a program of the workspace (cargo does nothing when it is there) and says where it is. */
export function built(crate: string): string {
  const messages = execFileSync('cargo', ['build', '-q', '--locked', '-p', crate, '--message-format=json'], {
    cwd: repository,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 << 20,
  });
  for (const line of messages.split('\n')) {
    if (line.includes('"executable":"')) {
      const { executable, target } = JSON.parse(line) as { executable: string; target: { name: string } };
      if (target.name === crate) {
        return executable;
      }
    }
  }
  throw new Error(`cargo built no program ${crate}`);
}
