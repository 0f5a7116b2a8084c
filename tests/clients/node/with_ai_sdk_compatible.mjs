// The AI SDK's provider for servers like ours.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { SCRIPTED_V1, V1 } from "./cells.mjs";
import { runWith } from "./ai_sdk.mjs";

const at = (baseURL) =>
  createOpenAICompatible({ name: "nightschool", baseURL, includeUsage: true, supportsStructuredOutputs: true })("live");
await runWith(at(V1), at(SCRIPTED_V1));
