/** What a MIME type says about kind. Knows no codec. */
import type { MediaKind } from '../rtp-parameters';
import { lower } from './text';

/** The kind of a MIME type, where it has one. */
export function kindOf(mimeType: string): MediaKind | undefined {
  const slash = mimeType.indexOf('/');
  if (slash < 0 || slash + 1 === mimeType.length) {
    return undefined;
  }
  const kind = lower(mimeType.slice(0, slash));
  return kind === 'audio' || kind === 'video' ? kind : undefined;
}
