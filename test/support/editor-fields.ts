/** What a test does inside the editor's page: find the fields of the open dialog, change one after the other, and read them. */

/** Values that differ from most defaults; the first one that a field takes is chosen. */
const CANDIDATES = [
  'other',
  'another',
  '2x2',
  '1x2',
  '7',
  '8',
  '0-1',
  '127.0.0.1:0',
  '127.0.0.2:0',
  '0.5',
  '/run/other.sock',
  '{}',
  '[]',
];

/**
 * Defines `dialog` in the page:
 * `fields()` the visible inputs of the open dialog that the node keeps, `shown()` what they show, `texts()` labels and placeholders,
 * `begin()` and then `step()` until it says false: change every field once, those included that appear meanwhile.
 */
export const DIALOG_SCRIPT = `
window.dialog = {
  defaultsOf: (type) => RED.nodes.getType(type).defaults,

  /** The property that an input shows; '' for one in a list of the dialog's own; undefined for what the node does not keep. */
  propertyOf(input, type) {
    if (!input.id) return '';
    const property = input.id.replace(/^node-(config-)?input-/, '').replace(type + '-', '');
    return property !== input.id && property in this.defaultsOf(type) ? property : undefined;
  },

  fields(type) {
    const inputs = $('.red-ui-tray').last().find('form').find('input, select, textarea').filter(':visible').not(':disabled');
    return inputs.get().filter((input) => this.propertyOf(input, type) !== undefined);
  },

  shown(type) {
    return this.fields(type).map((input) => {
      const value = input.type === 'checkbox' || input.type === 'radio' ? input.checked : $(input).val();
      return [this.propertyOf(input, type) || input.className.split(' ')[0], value];
    });
  },

  texts() {
    const texts = $('.red-ui-tray').find('[data-i18n*="mqtile"], .form-row > label');
    return texts.get().map((one) => $(one).text().trim() || $(one).attr('placeholder') || '');
  },

  begin(id) {
    this.node = RED.nodes.node(id);
    this.touched = new Set();
  },

  /** A row in every list that is to be seen, once. */
  addRows() {
    const buttons = $('.red-ui-tray').last().find('.red-ui-editableList-addButton:visible').get();
    for (const button of buttons.filter((one) => !this.touched.has(one))) {
      this.touched.add(button);
      $(button).trigger('click');
    }
  },

  step() {
    this.addRows();
    const input = this.fields(this.node.type).find((one) => !this.touched.has(one));
    if (!input) return false;
    this.touched.add(input);
    if (input.type === 'checkbox' || input.type === 'radio') $(input).trigger('click');
    else if (input.tagName === 'SELECT') this.choose(input);
    else this.type(input);
    return true;
  },

  choose(select) {
    const values = [...select.options].map((option) => option.value).filter((value) => value !== '' && value !== '_ADD_');
    const next = values[(values.indexOf($(select).val()) + 1) % values.length];
    if (next !== undefined) $(select).val(next).trigger('change');
  },

  type(input) {
    const { validate } = this.defaultsOf(this.node.type)[this.propertyOf(input, this.node.type)] ?? {};
    const fits = (value) => value !== $(input).val() && (!validate || validate.call(this.node, value) === true);
    const value = ${JSON.stringify(CANDIDATES)}.find(fits);
    if (value === undefined) throw new Error(this.node.type + ': no value is known for ' + input.id);
    $(input).val(value).trigger('input').trigger('change');
  },
};
`;
