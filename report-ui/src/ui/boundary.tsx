import { Component, type ComponentChildren } from "preact";
import { oneLine } from "../format/text";

interface Props {
  /** What is shown; another value is another try. */
  of: unknown;
  children: ComponentChildren;
}

/** What cannot be shown says so, and the rest of the page stays. */
export class Boundary extends Component<Props, { error: unknown }> {
  override state = { error: null as unknown };

  override componentDidCatch(error: unknown): void {
    this.setState({ error });
  }

  override componentDidUpdate(before: Props): void {
    if (before.of !== this.props.of && this.state.error !== null) this.setState({ error: null });
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return <p class="notice">This cannot be shown: {oneLine(this.state.error)}</p>;
  }
}
