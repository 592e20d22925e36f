import assert from 'node:assert/strict';
import test from 'node:test';
import { ipFromWire, ipToWire } from '../dist/cjs/transport/address.js';

test('addresses keep their value, in the form of RFC 5952', () => {
  for (const [given, expected] of [
    ['127.0.0.1', '127.0.0.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['fe80::', 'fe80::'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ] as const) {
    assert.equal(ipFromWire(ipToWire(given, 'ip')), expected, given);
  }
  for (const wrong of ['', 'localhost', '1.2.3', '1.2.3.4.5', '::1%lo', ':::', undefined, 7]) {
    assert.throws(() => ipToWire(wrong, 'there'), /there must be an IPv4 or IPv6 address/, String(wrong));
  }
});
