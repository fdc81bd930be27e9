/** mqtile-predict: shows images to a trained model. An image in; class and probabilities out. */

import { PredictControl, type PredictFields } from './predict/control.ts';
import type { Red } from './red.ts';
import { obey, safely } from './safely.ts';

export default function register(red: Red): void {
  red.nodes.registerType('mqtile-predict', function (fields: PredictFields) {
    red.nodes.createNode(this, fields);
    const control = new PredictControl(this, fields, red.settings.userDir ?? process.cwd());
    this.on('input', (message, send, done) => obey(this, message, done, () => control.predict(message, send)));
    this.on('close', (done) => obey(this, {}, done, () => control.close()));
    safely(this, {}, () => control.announce());
  });
}
