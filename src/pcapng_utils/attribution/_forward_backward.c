/* The passes of forward_backward.py, compiled: the same arithmetic in the same order, so the same bits.

   Read that file first; names are the same. It is used where this one could not be compiled, and tests hold the two
   against each other. Lists and their floats are Python's; in between, rows are plain arrays. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>

#define WIDEST 320
#define VANISHING 1e-250
#define LEFT 1e-200
#define RESCALE 4
#define FAINT 1e-14
#define SMALL 1e-60

enum { ATTACHED, LOOSE, FRESH, DIRECT, KINDS };

/* What is known of one unit. `match` has a value less than the others. */
typedef struct {
    Py_ssize_t base, size;
    double *rows[KINDS];
    double *match;
} Unit;

typedef struct {
    union {
        struct {
            PyObject *lows, *highs, *match, *going_on, *turns, *skip, *skip_again, *again, *loss, *follows;
        };
        PyObject *attributes[10];
    };
    Py_ssize_t count, calls;
    int learning;
    Unit *units;
    double log_likelihood;
    int failed; /* a Python exception is set */
} Passes;

/* Items of lists. What is not there, or no number, is an exception, and 0. */

static PyObject *item(Passes *p, PyObject *list, Py_ssize_t index)
{
    if (list == NULL || !PyList_Check(list) || index < 0 || index >= PyList_GET_SIZE(list)) {
        if (!p->failed)
            PyErr_SetString(PyExc_IndexError, "forward_backward: a list is too short, or none");
        p->failed = 1;
        return NULL;
    }
    return PyList_GET_ITEM(list, index);
}

static double real(Passes *p, PyObject *number)
{
    if (number == NULL || p->failed)
        return 0.0;
    if (PyFloat_CheckExact(number))
        return PyFloat_AS_DOUBLE(number);
    double value = PyFloat_AsDouble(number);
    if (value == -1.0 && PyErr_Occurred())
        p->failed = 1;
    return value;
}

static double real_at(Passes *p, PyObject *list, Py_ssize_t index) { return real(p, item(p, list, index)); }

static Py_ssize_t place_at(Passes *p, PyObject *list, Py_ssize_t index)
{
    PyObject *number = item(p, list, index);
    if (number == NULL)
        return 0;
    Py_ssize_t value = PyLong_AsSsize_t(number);
    if (value == -1 && PyErr_Occurred())
        p->failed = 1;
    return value;
}

static double sum(const double *values, Py_ssize_t size)
{
    double total = 0.0;
    for (Py_ssize_t k = 0; k < size; k++)
        total += values[k];
    return total;
}

static double *zeros(Passes *p, Py_ssize_t size)
{
    double *values = PyMem_Calloc(size > 0 ? size : 1, sizeof(double));
    if (values == NULL && !p->failed) {
        PyErr_NoMemory();
        p->failed = 1;
    }
    return values;
}

static void release(Unit *unit)
{
    for (int kind = 0; kind < KINDS; kind++)
        PyMem_Free(unit->rows[kind]);
    PyMem_Free(unit->match);
}

/* How a unit may follow the one before it (`_joint`). */

typedef struct {
    double on, on_after, loose_on;
    Py_ssize_t turn; /* the first position for which on_after holds */
    PyObject *follows;
} Joint;

static Joint joint_of(Passes *p, Py_ssize_t unit, Py_ssize_t low, Py_ssize_t positions)
{
    Joint joint = {0.0, 0.0, 0.0, 0, item(p, p->follows, unit)};
    PyObject *pair = item(p, p->going_on, unit);
    if (pair == NULL || !PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        if (!p->failed)
            PyErr_SetString(PyExc_TypeError, "forward_backward: going_on is no list of pairs");
        p->failed = 1;
        return joint;
    }
    joint.on = real(p, PyTuple_GET_ITEM(pair, 0));
    joint.on_after = real(p, PyTuple_GET_ITEM(pair, 1));
    joint.loose_on = joint.on + (1.0 - joint.on) * real_at(p, p->loss, unit);
    Py_ssize_t turn = place_at(p, p->turns, unit) - low + 1;
    joint.turn = turn < 0 ? 0 : turn > positions ? positions : turn;
    return joint;
}

/* Forward. */

/* Fill `match` with the likelihoods of a unit and the calls from `low` to `end`. */
static void ask_match(Passes *p, double *match, Py_ssize_t unit, Py_ssize_t low, Py_ssize_t end)
{
    PyObject *found = PyObject_CallFunction(p->match, "nnn", unit, low, end);
    if (found == NULL) {
        p->failed = 1;
        return;
    }
    for (Py_ssize_t k = 0; k < end - low; k++)
        match[k] = real_at(p, found, k);
    Py_DECREF(found);
}

/* `_reached` */
static Py_ssize_t reached(Passes *p, Py_ssize_t end, Py_ssize_t high)
{
    double share = 1.0;
    while (end < high && share > FAINT)
        share *= real_at(p, p->skip_again, end++);
    return end;
}

/* `_rebase`: the rows in place; returns their new size. */
static Py_ssize_t rebase(Passes *p, double *attached, double *loose, Py_ssize_t size, Py_ssize_t base, Py_ssize_t low)
{
    Py_ssize_t shift = low - base, gone = shift < size ? shift : size;
    double reach = 0.0;
    for (Py_ssize_t k = 0; k < gone; k++)
        reach = reach * real_at(p, p->skip_again, base + k) + (attached[k] + loose[k]) * real_at(p, p->skip, base + k);
    if (reach == 0.0)
        reach = LEFT;
    if (shift >= size) {
        double passed = 0.0;
        for (Py_ssize_t call = base + size; call < low; call++)
            passed += log(real_at(p, p->skip_again, call));
        p->log_likelihood += passed;
        attached[0] = 0.0;
        loose[0] = reach;
        return 1;
    }
    memmove(attached, attached + shift, (size - shift) * sizeof(double));
    memmove(loose, loose + shift, (size - shift) * sizeof(double));
    loose[0] += reach;
    return size - shift;
}

/* `_passed`: the rows of a unit, from those of the unit before it. */
static void pass(Passes *p, Unit *now, Py_ssize_t unit, const double *attached, const double *loose)
{
    Py_ssize_t low = now->base, positions = now->size;
    Joint joint = joint_of(p, unit, low, positions);
    double loss = real_at(p, p->loss, unit), begun = 0.0, far = 0.0;
    for (Py_ssize_t k = 0; k < positions && !p->failed; k++) {
        double stay = attached[k] * (k < joint.turn ? joint.on : joint.on_after), left = attached[k] - stay;
        now->rows[ATTACHED][k] = begun + stay;
        now->rows[LOOSE][k] = left * loss + loose[k] * joint.loose_on;
        if (k + 1 == positions)
            break;
        double weight = now->match[k], again = real_at(p, p->again, low + k);
        double straight = (left * real_at(p, joint.follows, low + k) + loose[k]) * weight;
        begun = straight + far * again * weight;
        if (p->learning) {
            now->rows[DIRECT][k + 1] = straight;
            now->rows[FRESH][k + 1] = begun;
        }
        far = far * real_at(p, p->skip_again, low + k) + (left + loose[k]) * real_at(p, p->skip, low + k);
    }
}

/* `_kept`, and what is kept moved to the front of each row. */
static void trim(Passes *p, Unit *now, double least)
{
    const double *attached = now->rows[ATTACHED], *loose = now->rows[LOOSE];
    Py_ssize_t first = 0, last = now->size;
    while (last > 1 && attached[last - 1] + loose[last - 1] < least)
        last--;
    while (first < last - 1 && attached[first] + loose[first] < least)
        first++;
    if (first > 0)
        first--;
    if (first > 0) {
        for (int kind = 0; kind < KINDS; kind++)
            if (now->rows[kind] != NULL)
                memmove(now->rows[kind], now->rows[kind] + first, (last - first) * sizeof(double));
        if (last - first > 1)
            memmove(now->match, now->match + first, (last - first - 1) * sizeof(double));
    }
    now->base += first;
    now->size = last - first;
}

/* `_rescaled` */
static void rescale(Passes *p, Unit *now)
{
    double total = sum(now->rows[ATTACHED], now->size) + sum(now->rows[LOOSE], now->size);
    if (total < VANISHING) {
        now->rows[LOOSE][now->size - 1] = total = 1.0;
        p->log_likelihood += log(VANISHING);
    }
    p->log_likelihood += log(total);
    double scale = 1.0 / total;
    for (int kind = 0; kind < KINDS; kind++)
        for (Py_ssize_t k = 0; now->rows[kind] != NULL && k < now->size; k++)
            now->rows[kind][k] *= scale;
}

static void set_bounds(Passes *p, Py_ssize_t unit, const Unit *now)
{
    PyObject *low = PyLong_FromSsize_t(now->base), *high = PyLong_FromSsize_t(now->base + now->size - 1);
    if (low == NULL || high == NULL) {
        Py_XDECREF(low);
        Py_XDECREF(high);
        p->failed = 1;
    } else if (PyList_SetItem(p->lows, unit, low) < 0) {
        Py_DECREF(high);
        p->failed = 1;
    } else if (PyList_SetItem(p->highs, unit, high) < 0) {
        p->failed = 1;
    }
}

static void forward(Passes *p)
{
    double attached[WIDEST + 1] = {0.0}, loose[WIDEST + 1] = {1.0};
    Py_ssize_t base = 0, size = 1;
    for (Py_ssize_t unit = 0; unit < p->count && !p->failed; unit++) {
        Py_ssize_t low = place_at(p, p->lows, unit), high = place_at(p, p->highs, unit);
        if (low > base) {
            size = rebase(p, attached, loose, size, base, low);
            base = low;
        }
        Py_ssize_t end = reached(p, base + size - 1, high < base + WIDEST ? high : base + WIDEST);
        for (; size < end - base + 1; size++)
            attached[size] = loose[size] = 0.0;
        Unit *now = &p->units[unit];
        now->base = base;
        now->size = size;
        for (int kind = 0; kind < (p->learning ? KINDS : FRESH); kind++)
            now->rows[kind] = zeros(p, size);
        now->match = zeros(p, size);
        if (!p->failed)
            ask_match(p, now->match, unit, base, base + size - 1);
        if (p->failed)
            return;
        pass(p, now, unit, attached, loose);
        double total = sum(now->rows[ATTACHED], size) + sum(now->rows[LOOSE], size);
        trim(p, now, total * FAINT);
        set_bounds(p, unit, now);
        if (unit % RESCALE == 0 || total < SMALL)
            rescale(p, now);
        base = now->base;
        size = now->size;
        memcpy(attached, now->rows[ATTACHED], size * sizeof(double));
        memcpy(loose, now->rows[LOOSE], size * sizeof(double));
    }
    if (p->count > 0 && !p->failed)
        rescale(p, &p->units[p->count - 1]);
}

/* Backward. */

/* `_tail`: for each position of the last unit. */
static void tail_of(Passes *p, double *tail, const Unit *last)
{
    double value = 1.0;
    tail[last->size - 1] = 1.0;
    for (Py_ssize_t k = last->size - 2; k >= 0; k--) {
        tail[k] = value * real_at(p, p->skip, last->base + k);
        value *= real_at(p, p->skip_again, last->base + k);
    }
}

/* `_log_of_tail` */
static double log_of_tail(Passes *p, const double *tail)
{
    Py_ssize_t call = 0;
    double inside = 0.0, behind = 0.0;
    if (p->count > 0) {
        const Unit *last = &p->units[p->count - 1];
        for (Py_ssize_t k = 0; k < last->size; k++)
            inside += (last->rows[ATTACHED][k] + last->rows[LOOSE][k]) * tail[k];
        call = last->base + last->size - 1;
    }
    for (; call < p->calls; call++)
        behind += log(real_at(p, p->skip_again, call));
    return p->count > 0 ? log(inside > VANISHING ? inside : VANISHING) + behind : behind;
}

/* `_backward`: `after` (attached, loose) of the unit behind `unit` becomes that of `unit`; they have room for both. */
static void step_back(Passes *p, Py_ssize_t unit, double *after[2], double *before[2])
{
    const Unit *now = &p->units[unit], *next = &p->units[unit + 1];
    Py_ssize_t shift = next->base - now->base, positions = next->size;
    Joint joint = joint_of(p, unit + 1, next->base, positions);
    double loss = real_at(p, p->loss, unit + 1), far = 0.0, top = 0.0;
    double *attached = before[ATTACHED] + shift, *loose = before[LOOSE] + shift;
    for (Py_ssize_t k = positions - 1; k >= 0 && !p->failed; k--) {
        double on = k < joint.turn ? joint.on : joint.on_after, near = after[ATTACHED][k], other = after[LOOSE][k];
        if (k + 1 == positions) {
            attached[k] = on * near + (1.0 - on) * (loss * other);
            loose[k] = joint.loose_on * other;
            continue;
        }
        Py_ssize_t call = next->base + k;
        double begun = next->match[k] * after[ATTACHED][k + 1];
        double straight = begun + real_at(p, p->skip, call) * far;
        loose[k] = straight + joint.loose_on * other;
        attached[k] = on * near + (1.0 - on) * (straight + begun * (real_at(p, joint.follows, call) - 1.0) + loss * other);
        far = begun * real_at(p, p->again, call) + real_at(p, p->skip_again, call) * far;
    }
    if (unit % RESCALE == 0) {
        for (Py_ssize_t k = 0; k < positions; k++) {
            top = attached[k] > top ? attached[k] : top;
            top = loose[k] > top ? loose[k] : top;
        }
        double scale = 1.0 / top;
        for (Py_ssize_t k = 0; k < positions; k++) {
            attached[k] = top < VANISHING ? 1.0 : attached[k] * scale;
            loose[k] = top < VANISHING ? 1.0 : loose[k] * scale;
        }
    }
    double value = loose[0];
    for (Py_ssize_t k = shift - 1; k >= 0; k--) {
        before[ATTACHED][k] = before[LOOSE][k] = value * real_at(p, p->skip, now->base + k);
        value *= real_at(p, p->skip_again, now->base + k);
    }
    for (Py_ssize_t k = shift + positions; k < now->size; k++)
        before[ATTACHED][k] = before[LOOSE][k] = 0.0;
}

/* A list of the products of two rows and a factor. */
static PyObject *product(const double *one, const double *other, double scale, Py_ssize_t size)
{
    PyObject *list = PyList_New(size);
    for (Py_ssize_t k = 0; list != NULL && k < size; k++) {
        PyObject *number = PyFloat_FromDouble(one[k] * other[k] * scale);
        if (number == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, k, number);
    }
    return list;
}

static void backward(Passes *p, PyObject *lists[3])
{
    Py_ssize_t room = 1;
    for (Py_ssize_t unit = 0; unit < p->count; unit++) {
        Py_ssize_t behind = unit + 1 < p->count ? p->units[unit + 1].base - p->units[unit].base : 0;
        Py_ssize_t own = p->units[unit].size, next = unit + 1 < p->count ? p->units[unit + 1].size + behind : 0;
        room = own > room ? own : room;
        room = next > room ? next : room;
    }
    double *buffers[4];
    for (int number = 0; number < 4; number++)
        buffers[number] = zeros(p, room);
    double **after = buffers, **before = buffers + 2;
    if (!p->failed && p->count > 0) {
        tail_of(p, after[ATTACHED], &p->units[p->count - 1]);
        memcpy(after[LOOSE], after[ATTACHED], p->units[p->count - 1].size * sizeof(double));
    }
    if (!p->failed && p->learning)
        p->log_likelihood += log_of_tail(p, after[LOOSE]);
    for (Py_ssize_t unit = p->count - 1; unit >= 0 && !p->failed; unit--) {
        const Unit *now = &p->units[unit];
        if (unit < p->count - 1) {
            step_back(p, unit, after, before);
            double **other = after;
            after = before;
            before = other;
        }
        double held = 0.0, lost = 0.0;
        for (Py_ssize_t k = 0; k < now->size; k++) {
            held += now->rows[ATTACHED][k] * after[ATTACHED][k];
            lost += now->rows[LOOSE][k] * after[LOOSE][k];
        }
        double total = held + lost, scale = total > VANISHING ? 1.0 / total : 0.0;
        const int kinds[3] = {ATTACHED, FRESH, DIRECT};
        for (int place = 0; place < (p->learning ? 3 : 1) && !p->failed; place++) {
            PyObject *row = product(now->rows[kinds[place]], after[ATTACHED], scale, now->size);
            if (row == NULL || PyList_SetItem(lists[place], unit, row) < 0)
                p->failed = 1;
        }
    }
    for (int number = 0; number < 4; number++)
        PyMem_Free(buffers[number]);
}

/* The attributes that are read of a band and of weights, in the order of `Passes`. */
static const char *const NAMES[] = {
    "lows", "highs", "match", "going_on", "turns", "skip", "skip_again", "again", "loss", "follows",
};
enum { OF_BAND = 2, ATTRIBUTES = sizeof NAMES / sizeof *NAMES };

/* Where the last of them has been got, or one could not be: an exception is set. */
static void get_attributes(Passes *p, PyObject *band, PyObject *weights)
{
    for (int place = 0; place < ATTRIBUTES && !p->failed; place++) {
        p->attributes[place] = PyObject_GetAttrString(place < OF_BAND ? band : weights, NAMES[place]);
        p->failed = p->attributes[place] == NULL;
    }
    if (!p->failed && (!PyList_Check(p->lows) || !PyList_Check(p->highs) || !PyList_Check(p->skip_again))) {
        PyErr_SetString(PyExc_TypeError, "forward_backward: lists were expected");
        p->failed = 1;
    }
}

/* A list of so many empty lists. */
static PyObject *empty_rows(Passes *p, Py_ssize_t count)
{
    PyObject *list = PyList_New(count);
    for (Py_ssize_t unit = 0; list != NULL && unit < count; unit++) {
        PyObject *row = PyList_New(0);
        if (row == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, unit, row);
    }
    p->failed |= list == NULL;
    return list;
}

static PyObject *run(Passes *p)
{
    PyObject *lists[3] = {NULL, NULL, NULL}, *result = NULL;
    p->count = PyList_GET_SIZE(p->lows);
    p->calls = PyList_GET_SIZE(p->skip_again);
    p->units = PyMem_Calloc(p->count > 0 ? p->count : 1, sizeof(Unit));
    if (p->units == NULL)
        return PyErr_NoMemory();
    for (int place = 0; place < 3 && !p->failed; place++)
        lists[place] = empty_rows(p, p->count);
    if (!p->failed)
        forward(p);
    if (!p->failed)
        backward(p, lists);
    if (!p->failed)
        result = Py_BuildValue("(OOOd)", lists[0], lists[1], lists[2], p->log_likelihood);
    for (int place = 0; place < 3; place++)
        Py_XDECREF(lists[place]);
    for (Py_ssize_t unit = 0; unit < p->count; unit++)
        release(&p->units[unit]);
    PyMem_Free(p->units);
    return result;
}

PyDoc_STRVAR(forward_backward_doc, "forward_backward(band, weights, learning)\n--\n\nSee forward_backward.py.");

static PyObject *forward_backward(PyObject *module, PyObject *args)
{
    PyObject *band, *weights, *result = NULL;
    Passes p = {0};
    if (!PyArg_ParseTuple(args, "OOp", &band, &weights, &p.learning))
        return NULL;
    get_attributes(&p, band, weights);
    if (!p.failed)
        result = run(&p);
    for (int place = 0; place < ATTRIBUTES; place++)
        Py_XDECREF(p.attributes[place]);
    return result;
}

static PyMethodDef methods[] = {
    {"forward_backward", forward_backward, METH_VARARGS, forward_backward_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_forward_backward", "The passes of forward_backward.py, compiled.", -1, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__forward_backward(void) { return PyModule_Create(&definition); }
