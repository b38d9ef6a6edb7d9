import { glorotUniform, zeros } from "../initializers/initializers";
import { biasAdd } from "../ops/bias";
import { reshape } from "../ops/elementwise";
import { matmul } from "../ops/gemm";
import { boolean, count, optional, or } from "../options";
import { type Built, built } from "../registry";
import { type ActivationName, activationName, applyActivation } from "./activation";
import { checkRank, type Layer, type LayerOptions, layerFactory, type ParameterSpec } from "./layer";

/** Options of layers with a kernel and a bias. */
export interface KernelOptions extends LayerOptions {
  /** Applied to the output; default none. */
  activation?: ActivationName;
  /** Default true. */
  useBias?: boolean;
  /** Default `glorotUniform()`. */
  kernelInitializer?: Built;
  /** Default `zeros()`. */
  biasInitializer?: Built;
  /** A penalty on the kernel, such as `l2(1e-4)`. Default none. */
  kernelRegularizer?: Built;
  /** A penalty on the bias. Default none. */
  biasRegularizer?: Built;
  /** What the kernel is brought back to after each step, such as `maxNorm()`. Default none. */
  kernelConstraint?: Built;
  /** The same of the bias. Default none. */
  biasConstraint?: Built;
}

/** The schema of KernelOptions. */
export const kernelOptions = () => ({
  activation: optional(activationName()),
  useBias: or(boolean(), true),
  kernelInitializer: or(built("initializer", "glorotUniform()"), () => glorotUniform()),
  biasInitializer: or(built("initializer", "zeros()"), () => zeros()),
  kernelRegularizer: optional(built("regularizer", "l2(0.01)")),
  biasRegularizer: optional(built("regularizer", "l2(0.01)")),
  kernelConstraint: optional(built("constraint", "maxNorm()")),
  biasConstraint: optional(built("constraint", "maxNorm()")),
});

/** The kernel and bias that KernelOptions describe. */
export function kernelAndBias(
  kernel: readonly number[],
  config: {
    useBias: boolean;
    kernelInitializer: Built;
    biasInitializer: Built;
    kernelRegularizer?: Built | undefined;
    biasRegularizer?: Built | undefined;
    kernelConstraint?: Built | undefined;
    biasConstraint?: Built | undefined;
  },
): Record<string, ParameterSpec> {
  const specs: Record<string, ParameterSpec> = {
    kernel: {
      shape: kernel,
      initializer: config.kernelInitializer,
      regularizer: config.kernelRegularizer,
      constraint: config.kernelConstraint,
    },
  };
  if (config.useBias)
    specs["bias"] = {
      shape: [kernel.at(-1)!],
      initializer: config.biasInitializer,
      regularizer: config.biasRegularizer,
      constraint: config.biasConstraint,
    };
  return specs;
}

/**
 * A fully connected layer: y = activation(x·W + b).
 *
 * x: [n, …, in] → y: [n, …, units]. Parameters: `kernel` [in, units], `bias` [units].
 *
 * @param units columns of the kernel, ≥ 1
 * @example dense(64, { activation: "relu", kernelRegularizer: l2(1e-4) })
 * @throws DownhillError `argument` for a bad option, `shape` for an input without axes
 */
export const dense: (units: number, options?: KernelOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "dense",
  positional: ["units"],
  options: () => ({ units: count(), ...kernelOptions() }),
  parameters([x], config, who) {
    checkRank(who, x!, "[n, …, in]", x!.length > 0);
    return kernelAndBias([x!.at(-1)!, config.units], config);
  },
  call([x], { config, parameters: { kernel, bias } }, who) {
    const shape = x!.shape;
    const width = kernel!.shape[0]!;
    checkRank(who, shape.slice(1), `[n, ${width}]`, shape.at(-1) === width);
    const rows = x!.size / width;
    let y = matmul(shape.length === 2 ? x! : reshape([x!], { to: [rows, width] }), kernel!);
    if (bias) y = biasAdd([y, bias]);
    y = applyActivation(config.activation, y);
    return shape.length === 2 ? y : reshape([y], { to: [...shape.slice(0, -1), config.units] });
  },
});
