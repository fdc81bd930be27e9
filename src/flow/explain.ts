/** Explains: the texts of the comment nodes, for somebody who has never trained a network, with the plan's own figures. */

import type { Layer } from '../model/layers.ts';
import { formatBytes, longName, partitionName } from '../planner/words.ts';
import { isEmpty, type Box } from '../tensor/box.ts';
import type { FlowRequest, FlowStage } from './request.ts';

/** Title on the tab, text in the sidebar (Markdown). */
export interface Explanation {
  readonly title: string;
  readonly text: string;
}

const CUT_WORD = { tiles: 'in', samples: 'by', single: 'on' } as const;

/** What the whole flow is, and how to start it. */
export function explainAll({ job, device, node, plan, model }: FlowRequest): Explanation {
  const devices = Object.keys(plan.predictedMemoryBytes);
  const others = devices.filter((name) => name !== device);
  const alone = others.length === 0;
  const company = alone
    ? `It runs on ${device} alone.`
    : `${device} is one of ${devices.length} devices; ${others.join(', ')} take part with flows of their own, with \`mqtile-train\`, or as daemons (\`mqtile node\`). Press **start** on one of them only: it counts as the first of the plan, and the boxes in these comments are those of a start on ${devices[0]}.`;
  return {
    title: `Train ${job.name} by hand on ${device}: deploy, then press start. Once around is one training step.`,
    text: `Each time around is one step: take ${plan.batch} images, compute the network's answers (**forward**), compare them with the right ones (**loss**), find out how each weight should change (**backward**), add up what all devices found (**all-reduce**), change the weights (**optimizer**), and take the next batch. The network is ${model.name}: ${model.layers.map(longName).join(', ')}.

${company} The weights at the end are, bit for bit, those of \`mqtile train\` with the same job.

**start** begins the job anew, or goes on after a pause; **pause** lets the step end and holds; **resume** goes on from the newest checkpoint; **step** makes one step and pauses; **stop** ends the run on all devices. Each node shows under itself what it did last.

The messages on the wires are small: a \`tensor\` is a handle on memory of the node, not the numbers themselves. It expires with its step.

The job is \`${job.path}\`. Relative paths start at Node-RED's user folder, which is the one that holds settings.js. The broker of ${device} listens on ${node.listen}${alone ? '' : `, its peers are ${node.peers.map(({ name, address }) => `${name} at ${address}`).join(', ') || 'none yet'}`}; change that in the \`mqtile-node\`.

Plan ${plan.planHash}: ${plan.stages.length} stage${plan.stages.length === 1 ? '' : 's'}, ${formatBytes(plan.predictedMemoryBytes[device]!)} of memory on ${device}${alone ? '' : `, ${formatBytes(plan.bytesPerStep)} a step between all devices`}. If the job file or the number of devices changes, make this flow anew with \`mqtile flow\`.`,
  };
}

/** What happens before a step. */
export function explainBatch({ plan }: FlowRequest): Explanation {
  return {
    title: '1. take a batch',
    text: `\`mqtile-dataset\` reads the next ${plan.batch} images. Which ones follows from the job's seed, so all devices take the same without asking each other. Between steps it also makes the checkpoints and the tests on images that training never sees, when the job's schedule says so; the second output tells the end of each epoch, that is, when every image was used once.

A trigger that arrives while a step is under way is ignored: a step has to come around first.`,
  };
}

/** One stage, both ways. */
export function explainStage(request: FlowRequest, stage: FlowStage, index: number): Explanation {
  const { device, model, plan } = request;
  const alone = Object.keys(plan.predictedMemoryBytes).length === 1;
  const layers = model.layers.slice(...stage.layers);
  return {
    title: alone ? '2. forward' : `2. ${CUT_WORD[stage.partition]} ${partitionName(stage)}`,
    text: `Stage ${index + 1} is ${named(layers, stage.layers)}. Inside a stage the devices compute without talking; between stages they exchange what the next one needs, ${alone ? 'here nothing, as there is one device' : travels(stage)}.

${alone ? 'With one device nothing is cut. With more, each would compute its own tile of the output, and get the edges that it needs, the halo, from its neighbours.' : cutText(stage)}

- ${device} computes, of the output: ${boxText(stage.owned[device]!)}.
- For that it needs, of the input: ${boxText(stage.needed[device]!)}.
- Its weights: ${stage.parameterBytes === 0 ? 'all here, nothing travels' : `${formatBytes(stage.parameterBytes)} of gradients and new values travel a step, all devices together`}.

The node below this comment computes the stage forward, its twin \`backward ${index + 1}\` in the lower rows takes the same way back.`,
  };
}

/** Where forward ends and backward begins. */
export function explainLoss({ model }: FlowRequest): Explanation {
  const kind =
    model.loss === 'softmaxCrossEntropy'
      ? 'softmax cross-entropy: how surprised the network is by the right class'
      : 'the mean of the squares of the output';
  return {
    title: '3. compare',
    text: `\`mqtile-loss\` says with one number how wrong the answers are: ${kind}. Each device does so for its own part and divides by the whole batch, so that the parts add up exactly. It also gives the gradient: in which direction each answer should move. With that the way back begins.`,
  };
}

/** The way back. */
export function explainBackward({ plan }: FlowRequest): Explanation {
  return {
    title: '4. go back',
    text: `The last stage comes first. Each \`mqtile-backward\` turns the gradient of its stage's output into the gradient of the stage's input, and of the stage's weights on the way. It names its forward twin, whose stage it takes over. What a tile's gradient says about pixels of a neighbour returns to that neighbour, who adds it: nothing is counted twice, nothing is lost. There are ${plan.stages.length}, one for each forward node.`,
  };
}

/** The sum over devices. */
export function explainAllReduce({ plan }: FlowRequest): Explanation {
  const bytes = plan.stages.reduce((sum, { parameterBytes }) => sum + parameterBytes, 0);
  return {
    title: '5. sum gradients',
    text: `Every device has computed a part of each weight's gradient. \`mqtile-all-reduce\` sends the parts to the weight's owner, who adds them in a fixed order, so that the sum has the same bits every time. With the new weights on their way back, ${bytes === 0 ? 'nothing has to travel, as there is one device only' : `that is ${formatBytes(bytes)} a step`}.`,
  };
}

/** The end of a step. */
export function explainOptimizer(): Explanation {
  return {
    title: '6. update',
    text: `\`mqtile-optimizer\` lets each owner take a small step against the gradient (stochastic gradient descent), hands the new weights out, and compares checksums: all devices hold the same weights. Its message tells the loss of the step, over all devices, and asks the dataset for the next batch.`,
  };
}

/** Errors. */
export function explainErrors(): Explanation {
  return {
    title: 'What goes wrong comes here, with the way out.',
    text: '`msg.error.message` says what is wrong and what to do, `msg.error.code` is for programs. The node that met it shows a red dot.',
  };
}

function named(layers: readonly Layer[], [start, end]: readonly [number, number]): string {
  const range = end - start === 1 ? `layer ${start}` : `layers ${start} to ${end - 1}`;
  return `${range} of the network (${layers.map(longName).join(', ')})`;
}

function travels({ activationBytes }: FlowStage): string {
  return activationBytes === 0
    ? 'here nothing, each has it already'
    : `here ${formatBytes(activationBytes)} a step, forward and back`;
}

function cutText(stage: FlowStage): string {
  switch (stage.partition) {
    case 'tiles':
      return `Its output is cut into ${partitionName(stage)} (rows x columns), one a device. A tile needs a few rows and columns of its neighbours too, the halo.`;
    case 'samples':
      return 'Its output is cut by samples: each device answers for some of the images, whole.';
    case 'single':
      return 'One device computes it for all.';
  }
}

function boxText(box: Box): string {
  if (isEmpty(box)) return 'nothing';
  const [n, c, y, x] = box.map(([start, end]) => (end - start === 1 ? `${start}` : `${start} to ${end - 1}`));
  return `samples ${n}, channels ${c}, rows ${y}, columns ${x}`;
}
