export { readTime, TIME_FORMS } from '../../usage/instant.ts'
