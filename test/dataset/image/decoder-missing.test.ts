import { registerHooks } from 'node:module';
import test from 'ava';
import { decodeImage } from '../../../src/dataset/image/decode.ts';
import { jpegOf, paint, pngOf } from '../../support/images.ts';

const rgba = paint(4, 4, () => [0, 0, 0, 255]);

test('without a decoder, an image is refused with the command that installs it', async (t) => {
  // As if the optional packages had been left out at the install.
  registerHooks({
    resolve: (specifier, context, next) => {
      if (specifier !== 'pngjs' && specifier !== 'jpeg-js') return next(specifier, context);
      throw Object.assign(new Error(`Cannot find package '${specifier}'`), { code: 'ERR_MODULE_NOT_FOUND' });
    },
  });
  await t.throwsAsync(decodeImage(pngOf(rgba, [4, 4], { colorType: 2 })), {
    code: 'decoderMissing',
    message: /npm install pngjs$/,
  });
  await t.throwsAsync(decodeImage(jpegOf(rgba, [4, 4])), { code: 'decoderMissing', message: /npm install jpeg-js$/ });
});
